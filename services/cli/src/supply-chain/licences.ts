import { type LockEntry, type Lockfile, packageName, packagesOf } from './lockfile.ts';

/**
 * Licences that what Vortex stands on may have. The LGPL and the MPL let a program use a library as it is; `(MIT OR …)` is MIT.
 * Another one is to be read by a person first, and then written down here.
 */
const allowed = [
  ...[
    '0BSD',
    'Apache-2.0',
    'BSD',
    'BSD-2-Clause',
    'BSD-3-Clause',
    'CC0-1.0',
    'ISC',
    'MIT',
    'Python-2.0',
    'Zlib',
  ],
  ...['LGPL-3.0-or-later', 'MPL-2.0'],
];

/** Of packages whose package.json names none, or whose entry npm has left bare because they are another platform's. */
const known: readonly [name: RegExp, licence: string][] = [
  [/^@biomejs\/cli-/, 'MIT OR Apache-2.0'],
  [/^@lancedb\/lancedb-/, 'Apache-2.0'],
  [/^@msgpackr-extract\//, 'MIT'],
  [/^(busboy|streamsearch|json-bignum|node-bin-.*)$/, 'MIT'],
];

function licenceOf(name: string, { license }: LockEntry): string {
  return license ?? known.find(([pattern]) => pattern.test(name))?.[1] ?? 'unknown';
}

/** One of `A OR B` may be chosen; of `A AND B` both hold. */
export function isAllowed(licence: string): boolean {
  const plain = licence.replaceAll(/[()]/g, '');
  return plain
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((one) => allowed.includes(one.trim())));
}

export function licenceProblems(lockfile: Lockfile): string[] {
  return packagesOf(lockfile).flatMap(([path, entry]) => {
    const name = packageName(path, entry);
    const licence = licenceOf(name, entry);
    return isAllowed(licence)
      ? []
      : [`${name} ${entry.version}: ${licence} is not among the licences we may use`];
  });
}

/** `deploy/licences.txt`: every package by licence; what is for development alone is not in the image. */
export function licenceList(lockfile: Lockfile): string {
  const lists = { runs: new Map<string, Set<string>>(), development: new Map<string, Set<string>>() };
  for (const [path, entry] of packagesOf(lockfile)) {
    const name = packageName(path, entry);
    const list = entry.dev === true ? lists.development : lists.runs;
    const licence = licenceOf(name, entry);
    list.set(licence, (list.get(licence) ?? new Set()).add(`${name} ${entry.version}`));
  }
  return [
    'Licences of the packages that Vortex stands on, from package-lock.json.',
    'Written by `npx vitest run --project pure services/cli/src/supply-chain -u`; Vortex itself: Apache-2.0 (LICENSE).',
    ...section('In what runs', lists.runs),
    ...section('For development and tests alone', lists.development),
    '',
  ].join('\n');
}

function section(title: string, list: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const licences = [...list].sort(([one], [other]) => (one < other ? -1 : 1));
  return [
    '',
    `== ${title} ==`,
    ...licences.flatMap(([licence, names]) => ['', licence, ...[...names].sort().map((name) => `  ${name}`)]),
  ];
}
