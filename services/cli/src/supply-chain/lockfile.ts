import { z } from 'zod';

const versions = z.record(z.string(), z.string()).optional();

/** npm copies what a package says, and some say one word. */
const platforms = z.union([z.string(), z.array(z.string())]).optional();

const lockEntry = z.object({
  name: z.string().optional(),
  version: z.string().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  license: z.string().optional(),
  link: z.boolean().optional(),
  dev: z.boolean().optional(),
  optional: z.boolean().optional(),
  hasInstallScript: z.boolean().optional(),
  os: platforms,
  cpu: platforms,
  dependencies: versions,
  devDependencies: versions,
  optionalDependencies: versions,
});
export type LockEntry = z.infer<typeof lockEntry>;

const lockfile = z.object({ lockfileVersion: z.number(), packages: z.record(z.string(), lockEntry) });
export type Lockfile = z.infer<typeof lockfile>;

/** package-lock.json, as far as we judge it. @throws ZodError for what is none */
export function readLockfile(text: string): Lockfile {
  return lockfile.parse(JSON.parse(text));
}

/** `node_modules/a/node_modules/@b/c` is `@b/c`; an alias is what it stands for. */
export function packageName(path: string, entry: LockEntry): string {
  return entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** Every package from a registry: not ours, which are links, nor the folders these lead to. */
export function packagesOf({ packages }: Lockfile): [path: string, entry: LockEntry][] {
  return Object.entries(packages).filter(
    ([path, { link }]) => path.includes('node_modules/') && link !== true,
  );
}

/**
 * Packages that would run a program of theirs when they are installed. It is never run (`npm ci --ignore-scripts` in the
 * launcher and in deploy/Dockerfile), and what it would bring is not needed: msgpackr falls back to JavaScript,
 * ONNX Runtime's fetches files for GPUs. A new one is to be looked at before it is written down here.
 */
const knownInstallScripts = ['msgpackr-extract', 'onnxruntime-node'];

/**
 * What is wrong with a lockfile: each package is one of a registry, in one version, known by its hash. Nothing comes from
 * git, a folder or an address, for such a thing can change without its hash in the lockfile being asked for.
 */
export function lockfileProblems(locked: Lockfile): string[] {
  const problems: string[] = [];
  if (locked.lockfileVersion !== 3) problems.push(`lockfileVersion is ${locked.lockfileVersion}, not 3`);
  for (const [path, entry] of packagesOf(locked)) {
    const name = packageName(path, entry);
    const { version = '', resolved, integrity, hasInstallScript } = entry;
    if (!/^\d+\.\d+\.\d+(-[\w.-]+)?(\+[\w.-]+)?$/.test(version))
      problems.push(`${path}: ${version} is no version`);
    if (resolved !== undefined)
      problems.push(`${path}: comes from ${resolved}, not from the registry in use`);
    // Of another platform's packages npm writes no hash where the registry in use does not carry them; they are never fetched.
    const isElsewhere = entry.optional === true && entry.os !== undefined && entry.cpu !== undefined;
    if (integrity === undefined ? !isElsewhere : !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity))
      problems.push(`${path}: has no SHA-512`);
    if (hasInstallScript === true && !knownInstallScripts.includes(name))
      problems.push(`${path}: runs a program when it is installed`);
  }
  for (const [path, entry] of Object.entries(locked.packages)) {
    const { dependencies, devDependencies, optionalDependencies } = entry;
    for (const [name, wanted] of Object.entries({
      ...dependencies,
      ...devDependencies,
      ...optionalDependencies,
    })) {
      if (!isFromRegistry(wanted))
        problems.push(`${path === '' ? 'package.json' : path}: wants ${name} from ${wanted}`);
    }
  }
  return problems;
}

function isFromRegistry(wanted: string): boolean {
  return !/^(git|github|gitlab|bitbucket|https?|file|link|ssh)\b.*:|^[\w.-]+\/[\w.-]+(#|$)|^git@/.test(
    wanted,
  );
}
