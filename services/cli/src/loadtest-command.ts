import { main } from '@vortex/loadtest';
import { launcherName } from './folders.ts';
import { gatewayOf } from './instance-address.ts';
import { CommandProblem } from './problem.ts';

/** The load tester's own flags and exit codes, and `--data FOLDER` for the instance of a data folder as elsewhere. */
export async function loadtest(words: readonly string[]): Promise<number> {
  return main(withAddress(words), `${launcherName()} loadtest`);
}

export function withAddress(words: readonly string[]): string[] {
  const place = words.findIndex((word) => word === '--data' || word.startsWith('--data='));
  if (place === -1) return [...words];
  const word = words[place] ?? '';
  const isJoined = word.startsWith('--data=');
  const data = isJoined ? word.slice('--data='.length) : words[place + 1];
  if (data === undefined || data === '') throw new CommandProblem('--data needs a folder.', { exitCode: 1 });
  const { url, key } = gatewayOf({ data });
  // A key of the words or of the environment is the load tester's own matter.
  const isGiven = words.some((one) => one === '--api-key' || one.startsWith('--api-key='));
  const authority = key === undefined || isGiven || process.env.LT_API_KEY ? [] : ['--api-key', key];
  return words.toSpliced(place, isJoined ? 1 : 2, '--url', url, ...authority);
}
