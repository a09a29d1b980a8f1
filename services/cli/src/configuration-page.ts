import {
  describeSettings,
  type ServiceName,
  type SettingRow,
  sections,
  serviceNames,
  settingsRead,
} from '@vortex/config';
import { settingsOfTheLauncher } from './service-plan.ts';

/** `docs/03-configuration.md`, made of the schemas themselves; a test compares it with the file. */
export function configurationPage(): string {
  const rows = describeSettings();
  const sections = [...new Set(rows.map(({ section }) => section))];
  return `${[introduction, ...sections.map((name) => sectionText(name, rows)), ending].join('\n\n')}\n`;
}

const introduction = `# Configuration

Every service reads its configuration once, at start, and refuses to start with a wrong one: all problems
are listed at once, each with where the bad value came from. \`./vortex up\` reads the configuration of all
services before it starts any of them; an invalid one exits with 2 and starts nothing.

A value comes from the last of these that has one:

1. the default in the table below,
2. \`conf/<service>.yaml\` in the checkout: \`section:\`, and below it \`key: value\`,
3. the plain names of the environment, where the table has one (\`REDIS_URL\`, \`OLLAMA_URL\` …),
4. the environment by section and key: \`VORTEX__RETRIEVAL__TOP_K=9\`,
5. \`./vortex up --set retrieval.top_k=9\` (repeatable).

Limits of what a request may hold (\`gateway.max_query_characters\`, \`max_top_k\`, \`max_filter_depth\`, \`max_filter_conditions\`,
\`max_metadata_characters\`, \`max_batch_ids\`, \`max_upload_files\`) can only be lowered: above them is what workers refuse
(libs/contracts). A value beyond its "At most" is a problem like any other, and nothing starts; none is cut silently.

An unknown section or key is a problem too, in a file as well as in the environment: a misspelt setting is
never passed over. Keys and passwords are masked wherever configuration is printed, and may be given as a file:
\`REDIS_URL_FILE=/run/secrets/redis_url\` stands for \`REDIS_URL\`, and so for every name of \`redis.url\`, \`cache.url\`,
\`store.qdrant_api_key\`, \`llm.openai_api_key\` and \`registry.database_url\`.

Settings that the launcher gives each process itself are not set by hand under \`./vortex up\`:

${Object.entries(settingsOfTheLauncher)
  .map(([name, option]) => `- ${code(name)}: by ${option}`)
  .join('\n')}

Redis, Qdrant and a language model of your own:

- a Redis or Valkey: \`REDIS_URL=redis://host:6379\` (it must have \`maxmemory-policy noeviction\`)
- a second one for caches: \`CACHE_REDIS_URL=redis://host:6380\`
- with users: \`REDIS_URL=redis://vortex:password@host:6379\`, and the line \`vortex\` of \`deploy/redis/users.acl\` with
  \`>password\` behind \`on\` (of \`cache-users.acl\` for the cache). Switch \`default\` off, but leave it its rights: Redis replays its
  append-only file as that user
- with TLS: \`rediss://\`, and \`redis.tls_…\` below. Commands of the launcher read the system's authorities and \`NODE_EXTRA_CA_CERTS\`
- a Qdrant: \`QDRANT_URL=http://host:6333\`, \`QDRANT_API_KEY\`
- an Ollama: \`./vortex up --llm ollama\`, \`OLLAMA_URL\`, \`OLLAMA_MODEL\`
- an OpenAI-compatible server: \`./vortex up --llm openai\`, \`OPENAI_BASE_URL\`, \`OPENAI_API_KEY\`, \`OPENAI_MODEL\`

Without \`REDIS_URL\`, \`up\` starts a private Redis, in which each service is a user of its own; the operator's address is in
\`./vortex status --json\` (\`redis_url\`). When there is no \`redis-server\` or \`valkey-server\` and it
runs as root, it installs one by the system's package manager. On Debian and Ubuntu that package would start
a server on port 6379, now and at every boot: \`up\` forbids the start while it installs
(\`/usr/sbin/policy-rc.d\`, taken away again) and disables the unit. It never uses sudo.`;

const ending = `## Where this table comes from

\`libs/config/src/sections.ts\` holds the schemas; this page is made of them. After a change:
\`npx vitest run --project pure services/cli/src/configuration-page.test.ts -u\`.`;

function sectionText(section: SettingRow['section'], rows: readonly SettingRow[]): string {
  const readers = serviceNames.flatMap((service: ServiceName) => {
    const read = settingsRead(service).get(section);
    if (read === undefined) return [];
    return read.length === Object.keys(sections[section].shape).length
      ? service
      : `${service} (${read.map(code).join(', ')} only)`;
  });
  const cells = rows
    .filter((row) => row.section === section)
    .map(({ key, environment, default: value, ceiling, about }) => [
      code(`${section}.${key}`),
      value === '(none)' ? '' : code(value),
      environment.slice(1).map(code).join(', '),
      ceiling === null || ceiling === lastPort ? about : `${about} At most ${ceiling.toLocaleString('en')}.`,
    ]);
  const shown = markdownTable(['setting', 'default', 'plain names', 'what it does'], cells);
  return [`## ${section}`, '', `Read by ${readers.join(', ')}.`, '', ...shown].join('\n');
}

/** That of a port goes without saying. */
const lastPort = 65_535;

/** Aligned as the formatter aligns it, so that neither undoes the other's work. */
function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
}

function code(text: string): string {
  return `\`${text}\``;
}
