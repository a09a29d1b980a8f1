import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../folders.ts';
import { licenceList, licenceProblems } from './licences.ts';
import { lockfileProblems, readLockfile } from './lockfile.ts';
import { makeSbom, sbomProblems } from './sbom.ts';
import { secretsIn } from './secret-scan.ts';

/** Part of `npm run check`: what is brought in, under which licences, and that no secret goes out. Needs no network. */
const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');
const lockfile = readLockfile(read('package-lock.json'));
const problems: string[] = [];

problems.push(...lockfileProblems(lockfile), ...licenceProblems(lockfile));
if (licenceList(lockfile) !== read('deploy/licences.txt'))
  problems.push(
    'deploy/licences.txt is not what package-lock.json says: npx vitest run --project pure services/cli/src/supply-chain -u',
  );

const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: repositoryRoot,
  encoding: 'utf8',
}).split('\0');
let scanned = 0;
for (const file of files) {
  if (file === '' || file === 'package-lock.json') continue;
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(repositoryRoot, file));
  } catch {
    // Deleted, and not yet committed so; or a link to a folder.
    continue;
  }
  // No text: pictures, models, archives.
  if (bytes.subarray(0, 8192).includes(0)) continue;
  scanned += 1;
  for (const { line, kind } of secretsIn(bytes.toString('utf8')))
    problems.push(`${file}:${line}: looks like a secret (${kind})`);
}

const hasNpm = spawnSync('npm', ['--version']).status === 0;
if (hasNpm) problems.push(...sbomProblems(makeSbom(), lockfile));

if (problems.length > 0) {
  console.error(`Supply chain (${problems.length}); the rules are in services/cli/src/supply-chain:`);
  for (const problem of problems) console.error(`  ${problem}`);
  process.exit(1);
}
const bill = hasNpm ? 'the bill of materials is whole' : 'no bill of materials, for there is no npm here';
console.log(`supply chain: packages and licences as allowed, no secret in ${scanned} files, ${bill}`);
