import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type RedisPasswords, redisUsers } from './users-file.ts';

/**
 * Passwords of an instance's own Redis, kept in its data folder so that what was told once (`status --json`) is true
 * after the next start as well. A file that is not whole is made anew: servers and services are given what it says now.
 */
export function passwordsOf(file: string): RedisPasswords {
  let kept: Partial<Record<string, unknown>> = {};
  try {
    kept = JSON.parse(readFileSync(file, 'utf8')) as Partial<Record<string, unknown>>;
  } catch {
    // None yet, or half of one.
  }
  return makePasswords((user) => {
    const password = kept[user];
    return typeof password === 'string' && /^[0-9a-f]{48}$/.test(password) ? password : randomPassword();
  });
}

export function makePasswords(passwordFor: (user: string) => string = randomPassword): RedisPasswords {
  return Object.fromEntries(redisUsers.map((user) => [user, passwordFor(user)])) as RedisPasswords;
}

/** 192 bits; letters and digits alone, for it stands in URLs and configuration files. */
export function randomPassword(): string {
  return randomBytes(24).toString('hex');
}

export function withLogin(url: string, user: string, password: string): string {
  const address = new URL(url);
  address.username = user;
  address.password = password;
  return address.href;
}

/** As it may stand in a log or on a screen. */
export function withoutLogin(url: string): string {
  const address = new URL(url);
  address.username = '';
  address.password = '';
  return address.href;
}
