import { spawnSync } from 'node:child_process';
import { z } from 'zod';
import { repositoryRoot } from '../folders.ts';
import { CommandProblem } from '../problem.ts';
import { type Lockfile, packageName, packagesOf } from './lockfile.ts';

const component = z.looseObject({
  'bom-ref': z.string(),
  name: z.string(),
  version: z.string(),
  hashes: z.array(z.object({ alg: z.string(), content: z.string() })).optional(),
  properties: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
});
type SbomComponent = z.infer<typeof component>;

/** A CycloneDX bill of materials, as far as we look into it; the rest of it is passed on. */
const sbomDocument = z.looseObject({
  bomFormat: z.string(),
  specVersion: z.string(),
  components: z.array(component),
  dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()) })),
});
export type Sbom = z.infer<typeof sbomDocument>;

/**
 * What runs, from the lockfile alone: the same on every machine and for every platform. npm makes it, without asking anybody.
 * Its time stamp and serial number are new each time, so it is made when it is wanted and never committed.
 * @throws CommandProblem when npm is missing or fails
 */
export function makeSbom(): Sbom {
  // Not `--omit=dev`: npm 11.19 then leaves out what runs and is wanted by a package of ours alone (ioredis, pg, zod).
  const words = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'];
  const { error, status, stdout, stderr } = spawnSync('npm', words, {
    cwd: repositoryRoot,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined || status !== 0) {
    const reason = error?.message ?? stderr.trim().split('\n')[0];
    throw new CommandProblem(`npm did not make a bill of materials (${reason}).`, {
      ways: ['npm 10 or later has to be in the PATH'],
    });
  }
  return withoutDevelopment(sbomDocument.parse(JSON.parse(stdout)));
}

export function withoutDevelopment(sbom: Sbom): Sbom {
  const isForDevelopment = ({ properties = [] }: SbomComponent) =>
    properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true');
  const dropped = new Set(sbom.components.filter(isForDevelopment).map((component) => component['bom-ref']));
  return {
    ...sbom,
    components: sbom.components.filter((component) => !dropped.has(component['bom-ref'])),
    dependencies: sbom.dependencies
      .filter(({ ref }) => !dropped.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => !dropped.has(one)) })),
  };
}

/** What the lockfile says runs, and the bill does not have or has without a hash. */
export function sbomProblems(sbom: Sbom, lockfile: Lockfile): string[] {
  if (sbom.bomFormat !== 'CycloneDX') return [`it is no CycloneDX but ${sbom.bomFormat}`];
  // Its own name and version, where another package's name stands for it.
  const listed = new Map(sbom.components.map((one) => [one['bom-ref'], one]));
  return packagesOf(lockfile).flatMap(([path, entry]) => {
    // Where a package is left out, an empty one stands in for it (package.json, `overrides`); npm leaves that out too.
    if (entry.dev === true || entry.integrity === undefined || entry.name === 'empty-npm-package') return [];
    const name = `${packageName(path, entry)}@${entry.version}`;
    const component = listed.get(name);
    if (component === undefined) return [`${name} is not in the bill of materials`];
    return component.hashes?.some(({ alg }) => alg === 'SHA-512') ? [] : [`${name} is in it without a hash`];
  });
}
