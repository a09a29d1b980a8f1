import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/**
 * Who may import whom. npm hoists, so an undeclared import still resolves; this reads every import and
 * holds it against the table below and against the room's own package.json. Run by `npm run check`.
 * Tests, benches and the chaos suite are free to import any room, and packages of the root's devDependencies.
 */
const anyLib = 'any lib but testkit';
const roomTable: Record<string, readonly string[] | typeof anyLib> = {
  contracts: [],
  config: ['contracts'],
  observability: ['contracts'],
  queue: ['observability', 'contracts'],
  cache: ['observability'],
  runtime: ['contracts', 'queue', 'observability'],
  registry: ['contracts', 'observability'],
  embedding: ['contracts', 'observability'],
  'vector-store': ['contracts', 'observability'],
  documents: ['contracts', 'observability'],
  routing: ['contracts'],
  terminal: [],
  client: ['contracts'],
  testkit: anyLib,
  'mock-llm': ['config', 'observability'],
  // A witness from outside: it reads what comes over the wire by its own schemas, or both would err together.
  loadtest: ['terminal'],
};

/** Rooms that must not know these packages: the words have no IO, and Redis is spoken in one place. */
const packageFences: { package: string; onlyIn: readonly string[] }[] = [
  { package: 'ioredis', onlyIn: ['queue', 'cache', 'testkit'] },
  { package: '@lancedb/lancedb', onlyIn: ['vector-store'] },
  { package: '@qdrant/js-client-rest', onlyIn: ['vector-store'] },
  { package: '@xenova/transformers', onlyIn: ['embedding'] },
  { package: 'onnxruntime-node', onlyIn: ['embedding'] },
  // The vector store borrows SQLite's file lock, no table (owner-lock.ts).
  { package: 'node:sqlite', onlyIn: ['registry', 'vector-store', 'cli'] },
];

interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

const root = join(import.meta.dirname, '../../..');
const readManifest = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
const importPattern =
  /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

function* sourceFiles(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.name === 'node_modules' || entry.name === 'dist') continue;
    if (entry.isDirectory()) yield* sourceFiles(path);
    else if (/\.(ts|mts|js|mjs)$/.test(entry.name)) yield path;
  }
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier);
}

const problems: string[] = [];
const rootDevDependencies = Object.keys(readManifest(root).devDependencies ?? {});

const rooms = [
  ...(['libs', 'services'] as const).flatMap((kind) =>
    readdirSync(join(root, kind)).map((room) => ({ room, home: `${kind}/${room}` })),
  ),
  { room: 'loadtest', home: 'loadtest' },
];

for (const { room, home } of rooms) {
  const folder = join(root, home);
  const manifest = readManifest(folder);
  const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }));
  const used = new Set<string>();
  const allowed = roomTable[room] ?? (home.startsWith('services/') ? anyLib : []);

  for (const file of sourceFiles(folder)) {
    const place = relative(root, file);
    // The test kit is imported by tests alone, so it may use what they may.
    const forTestsOnly =
      room === 'testkit' ||
      /\.test\.ts$|[/](test|bench|chaos|interleavings|chapters|fixtures|__fixtures__|monitoring)[/]|conformance\.ts$/.test(
        place,
      );
    for (const match of readFileSync(file, 'utf8').matchAll(importPattern)) {
      const specifier = match[1] ?? match[2] ?? match[3] ?? '';
      if (specifier.startsWith('.')) {
        const target = relative(root, join(file, '..', specifier));
        if (!target.startsWith(`${home}/`) && !forTestsOnly)
          problems.push(`${place}: reaches into ${target} by path`);
        continue;
      }
      const name = packageOf(specifier);
      used.add(name);
      for (const fence of packageFences) {
        const fenced = specifier === fence.package || name === fence.package;
        if (fenced && !fence.onlyIn.includes(room) && !forTestsOnly) {
          problems.push(`${place}: ${fence.package} is spoken only in ${fence.onlyIn.join(', ')}`);
        }
      }
      if (specifier.startsWith('node:')) {
        if (room === 'contracts' && !forTestsOnly)
          problems.push(`${place}: contracts uses no Node built-ins`);
        continue;
      }
      if (forTestsOnly) continue;
      if (!declared.has(name)) problems.push(`${place}: ${name} is not in ${home}/package.json`);
      if (!name.startsWith('@vortex/')) continue;
      const target = name.slice('@vortex/'.length);
      const fits = allowed === anyLib ? target !== 'testkit' && !isService(target) : allowed.includes(target);
      if (!fits) problems.push(`${place}: ${room} may not import ${target}`);
    }
  }
  for (const name of declared) {
    if (!used.has(name) && !isLoadedByName(room, name))
      problems.push(`${home}/package.json: ${name} is never imported`);
  }
  for (const name of Object.keys(manifest.devDependencies ?? {})) {
    if (!rootDevDependencies.includes(name))
      problems.push(`${home}: development packages belong to the root (${name})`);
  }
}

function isService(room: string): boolean {
  return readdirSync(join(root, 'services')).includes(room);
}

/** Packages that are found by file name, not by an import statement. */
function isLoadedByName(room: string, name: string): boolean {
  return (
    (room === 'gateway' && name === 'swagger-ui-dist') || (room === 'vector-store' && name === 'apache-arrow')
  );
}

if (problems.length > 0) {
  console.error(`Room rules broken (${problems.length}); the table is in libs/testkit/src/check-rooms.ts:`);
  for (const problem of [...new Set(problems)].sort()) console.error(`  ${problem}`);
  process.exit(1);
}
console.log('rooms: every import is declared and allowed');
