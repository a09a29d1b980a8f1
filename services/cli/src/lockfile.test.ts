import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from './folders.ts';

interface Entry {
  version?: string;
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

const { packages } = JSON.parse(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Entry>;
};

/** Where Node would look for a package that `path` needs. */
function* placesFor(path: string, name: string): Generator<string> {
  for (
    let folder = path;
    folder !== '';
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))
  )
    yield `${folder}/node_modules/${name}`;
  yield `node_modules/${name}`;
}

describe('package-lock.json', () => {
  // npm 11 leaves platform packages out that the registry in use does not carry, and then refuses its own
  // lockfile in `npm ci` ("Missing: @biomejs/cli-darwin-arm64@ from lock file"). An entry with the version,
  // os and cpu is enough: packages of other platforms are never fetched.
  it('has an entry for every platform of every optional package', () => {
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.entries(optionalDependencies)
        .filter(([name]) => [...placesFor(path, name)].every((place) => packages[place] === undefined))
        .map(([name, version]) => `${name}@${version}, wanted by ${path}`),
    );
    expect(missing).toEqual([]);
  });

  it('names no registry', () => {
    const addresses = Object.values(packages).map(({ resolved }) => resolved ?? '');
    expect(addresses.filter((address) => address.includes('://'))).toEqual([]);
  });
});
