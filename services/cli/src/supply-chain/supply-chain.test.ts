import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { repositoryRoot } from '../folders.ts';
import { isAllowed, licenceList, licenceProblems } from './licences.ts';
import { type LockEntry, type Lockfile, lockfileProblems, readLockfile } from './lockfile.ts';
import { sbomProblems, withoutDevelopment } from './sbom.ts';
import { secretsIn } from './secret-scan.ts';

const lockfile = readLockfile(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8'));
const sound: LockEntry = { version: '1.0.0', integrity: `sha512-${'a'.repeat(86)}==`, license: 'MIT' };
const locked = (entry: LockEntry, path = 'node_modules/one'): Lockfile => ({
  lockfileVersion: 3,
  packages: { [path]: entry },
});

test('our lockfile and our licences are as they should be', () => {
  expect(lockfileProblems(lockfile)).toEqual([]);
  expect(licenceProblems(lockfile)).toEqual([]);
});

test('deploy/licences.txt says what package-lock.json says (vitest -u writes it anew)', async () => {
  await expect(licenceList(lockfile)).toMatchFileSnapshot(join(repositoryRoot, 'deploy/licences.txt'));
});

describe('a lockfile is refused', () => {
  it.each<[string, LockEntry, RegExp]>([
    ['with a package from git', { ...sound, resolved: 'git+ssh://git@host/one.git#abc' }, /comes from git/],
    ['with a package from an address', { ...sound, resolved: 'https://host/one.tgz' }, /comes from https/],
    ['with a package without a hash', { version: '1.0.0', license: 'MIT' }, /no SHA-512/],
    ['with a weak hash', { ...sound, integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, /no SHA-512/],
    ['with a package that runs something at once', { ...sound, hasInstallScript: true }, /runs a program/],
    ['that wants a branch', { ...sound, dependencies: { two: 'github:owner/two' } }, /wants two from github/],
    [
      'that wants a repository',
      { ...sound, dependencies: { two: 'owner/two#main' } },
      /wants two from owner/,
    ],
    ['without a version', { ...sound, version: 'file:../one' }, /is no version/],
  ])('%s', (_, entry, problem) => {
    expect(lockfileProblems(locked(sound))).toEqual([]);
    expect(lockfileProblems(locked(entry)).join()).toMatch(problem);
  });
});

test('a licence is allowed when one of its choices is, with all that holds at once', () => {
  expect(['MIT', '(MIT OR GPL-3.0-or-later)', 'Apache-2.0 AND MIT'].filter((one) => !isAllowed(one))).toEqual(
    [],
  );
  expect(['GPL-3.0', 'AGPL-3.0-only', 'MIT AND GPL-3.0', 'unknown', 'UNLICENSED'].filter(isAllowed)).toEqual(
    [],
  );
  expect(licenceProblems(locked({ ...sound, license: 'SSPL-1.0' }))).toHaveLength(1);
});

test('a bill of materials without a package, or without its hash, is not whole', () => {
  const hashes = [{ alg: 'SHA-512', content: 'x' }];
  const one = { 'bom-ref': 'one@1.0.0', name: 'one', version: '1.0.0', hashes };
  const bill = { bomFormat: 'CycloneDX', specVersion: '1.5', components: [one], dependencies: [] };
  expect(sbomProblems(bill, locked(sound))).toEqual([]);
  expect(sbomProblems({ ...bill, components: [] }, locked(sound))).toHaveLength(1);
  expect(sbomProblems({ ...bill, components: [{ ...one, hashes: [] }] }, locked(sound))).toHaveLength(1);
});

test('a bill of materials has what runs, not what only builds and tests it', () => {
  const component = (name: string, properties: { name: string; value: string }[]) => ({
    ...{ 'bom-ref': name, name, version: '1.0.0', properties },
  });
  const runs = component('runs', []);
  const tests = component('tests', [{ name: 'cdx:npm:package:development', value: 'true' }]);
  const dependencies = [
    { ref: 'root', dependsOn: ['runs', 'tests'] },
    { ref: 'tests', dependsOn: [] },
  ];
  const bill = { bomFormat: 'CycloneDX', specVersion: '1.5', components: [runs, tests], dependencies };
  expect(withoutDevelopment(bill)).toMatchObject({
    components: [{ name: 'runs' }],
    dependencies: [{ ref: 'root', dependsOn: ['runs'] }],
  });
});

describe('the secret scan', () => {
  // Put together here, so that this file is not found itself.
  const random = 'q7Rk2VxZ9mTfL4sWb8NcY3dJh6Gp0EaUiOzXvBt5';
  it.each([
    ['private key', `-----BEGIN EC ${'PRIVATE'} KEY-----\n${random.repeat(2)}`],
    ['AWS access key', `id: ${'AKIA'}Q7RKZVXZ9MTFL4SW`],
    ['GitHub token', `ghp${'_'}${random.slice(0, 36)}`],
    ['OpenAI key', `"sk-${'proj'}-${random}"`],
    ['Hugging Face token', `hf${'_'}${random.slice(0, 34)}`],
    ['key of Vortex', `Bearer vx${'_'}9f3a71c20b4d8e65_${random}q7R`],
    ['password in an address', `redis://user:${random.slice(0, 24)}@host:6379`],
    ['secret', `const password ${'='} '${random}'`],
    ['secret', `API_KEY${':'} "${random}"`],
  ])('finds a %s, and says where', (kind, text) => {
    expect(secretsIn(`first\n\n${text}\nlast`)).toContainEqual({ line: 3, kind });
  });

  it.each([
    'password: "the-words-of-the-user-here"',
    'postgres://u:secret@h/db',
    'token = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's
    'redis://user:${REDIS_PASSWORD}@host',
    `vx${'_'}0123456789abcdef_${'a'.repeat(43)}`,
  ])('lets examples be: %s', (text) => expect(secretsIn(text)).toEqual([]));
});
