import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';

/** What commands of every family are made of. */
export function commandOf(parent: Command, name: string, about: string): Command {
  return parent.command(name).description(about).exitOverride();
}

/** A command that speaks to an instance: the one of a data folder, or the one at an address. */
export function instanceCommandOf(parent: Command, name: string, about: string): Command {
  return commandOf(parent, name, about)
    .option('--data <folder>', 'data folder of the instance (default: data in the checkout)')
    .addOption(new Option('--url <url>', 'address of its gateway instead').conflicts('data'))
    .option(
      '--api-key <key>',
      'asks with this key (default: VORTEX_API_KEY; with --data, the key of this machine)',
    );
}

export function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

export function decimal(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most)) {
      throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** A JSON object, written out or as `@file`. What stands in it is the gateway's to judge. */
export function jsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text);
  } catch (error) {
    throw new InvalidArgumentError(
      `It must be a JSON object, or @file: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError('It must be a JSON object, or @file.');
  }
  return value as Record<string, unknown>;
}
