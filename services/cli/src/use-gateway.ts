import { createClient, type VortexClient } from '@vortex/client';
import { harmless } from '@vortex/terminal';
import { gatewayOf, type InstanceOptions } from './instance-address.ts';
import { CommandProblem } from './problem.ts';
import type { Terminal } from './terminal.ts';

export type { InstanceOptions } from './instance-address.ts';

/**
 * A client for as long as `use` takes.
 * @throws CommandProblem when no instance is named or runs; ApiProblem, GatewayUnreachable
 */
export async function useGateway<T>(
  options: InstanceOptions,
  use: (client: VortexClient) => Promise<T>,
): Promise<T> {
  const client = createClient(gatewayOf(options));
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/**
 * Asks before what cannot be undone; false when the answer is no. Where nobody can be asked it goes on,
 * unless `mustBeAsked`.
 * @throws CommandProblem (exit 2) when it must be asked and nobody is there
 */
export async function isWanted(
  question: string,
  options: { yes: boolean; mustBeAsked: boolean },
  terminal: Terminal,
): Promise<boolean> {
  if (options.yes) return true;
  if (terminal.interactive) return terminal.confirm(question);
  if (!options.mustBeAsked) return true;
  throw new CommandProblem(`${question} Nobody can be asked here.`, {
    ways: ['If so, say --yes'],
    exitCode: 2,
  });
}

/** Items of several pages, up to `limit`. */
export async function gather<Item>(
  limit: number,
  readPage: (limit: number, after: string | undefined) => Promise<{ items: Item[]; next: string | null }>,
): Promise<Item[]> {
  const all: Item[] = [];
  let after: string | undefined;
  while (all.length < limit) {
    const { items, next } = await readPage(Math.min(longestPage, limit - all.length), after);
    all.push(...items);
    if (next === null || items.length === 0) break;
    after = next;
  }
  return all;
}

const longestPage = 200;

export function printJson(value: unknown): void {
  console.log(harmlessJson(value));
}

/** JSON escapes ESC itself; what else steers a terminal is written in its way as well, so that the value stays the same. */
export function harmlessJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, null, indent).replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `name  value`, one line per field; objects as JSON. */
export function describeFields(record: Readonly<Record<string, unknown>>): string {
  const width = Math.max(...Object.keys(record).map((name) => name.length));
  return Object.entries(record)
    .map(([name, value]) => `${name.padEnd(width)}  ${shown(value)}`)
    .join('\n');
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return '–';
  return typeof value === 'object' ? harmlessJson(value, 0) : harmless(String(value));
}
