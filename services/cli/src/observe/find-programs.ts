import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where each program of the watch is; null: not on this machine. */
export interface WatchPrograms {
  prometheus: string | null;
  promtool: string | null;
  alertmanager: string | null;
  redisExporter: string | null;
}

/** Debian puts its own prefix before what the projects call `alertmanager` and `redis_exporter`. */
const namesOf = {
  prometheus: ['prometheus'],
  promtool: ['promtool'],
  alertmanager: ['prometheus-alertmanager', 'alertmanager'],
  redisExporter: ['prometheus-redis-exporter', 'redis_exporter'],
} as const satisfies Record<keyof WatchPrograms, readonly string[]>;

export function findPrograms(path: string = process.env.PATH ?? ''): WatchPrograms {
  const folders = path.split(delimiter).filter(Boolean);
  const find = (names: readonly string[]) =>
    names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable) ?? null;
  return {
    prometheus: find(namesOf.prometheus),
    promtool: find(namesOf.promtool),
    alertmanager: find(namesOf.alertmanager),
    redisExporter: find(namesOf.redisExporter),
  };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
