import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultTenant } from '@vortex/contracts';
import { entriesOf } from '@vortex/documents';
import type { Registry } from '@vortex/registry';

/**
 * Where a document lies while it is built: `<data>/spool/<job>/<version>`, its text and its pieces as the reader left
 * them. A worker that takes a job over finds them there and parses nothing again. A job's folder goes with its end;
 * what a dead worker or a cancellation left behind is found by `sweep`.
 */
export interface Spool {
  /** Made when missing. */
  folderOf(job: { id: string; tenant: string; version: number }): Promise<string>;
  remove(jobId: string): Promise<void>;
  /** Removes the folders of jobs that have ended and are not in `running`; returns how many. @throws errors of the disk. */
  sweep(running: ReadonlySet<string>): Promise<number>;
}

/** Says whose folder it is: folders are named by ids, and not every id may name one. */
const ownerFile = 'job.json';

export function createSpool(folder: string, registry: Pick<Registry, 'getJob'>): Spool {
  const jobFolder = (id: string) => join(folder, folderName(id));

  async function isLeftOver(path: string, running: ReadonlySet<string>): Promise<boolean> {
    const owner = await readOwner(join(path, ownerFile));
    if (owner === null) return false;
    if (running.has(owner.id)) return false;
    const job = await registry.getJob(owner.tenant, owner.id);
    return job === null || job.completedAt !== null || job.cancelRequested;
  }

  return {
    async folderOf({ id, tenant, version }) {
      const path = join(jobFolder(id), String(version));
      await mkdir(path, { recursive: true });
      await writeFile(join(jobFolder(id), ownerFile), JSON.stringify({ id, tenant }));
      return path;
    },
    remove: (jobId) => rm(jobFolder(jobId), { recursive: true, force: true }),
    async sweep(running) {
      let removed = 0;
      for (const name of await entriesOf(folder)) {
        const path = join(folder, name);
        if (!(await isLeftOver(path, running))) continue;
        await rm(path, { recursive: true, force: true });
        removed += 1;
      }
      return removed;
    },
  };
}

/** Ids are printable ASCII, so `..` or a slash may be in one that was pushed by hand. */
function folderName(jobId: string): string {
  return /^[\w-]{1,100}$/.test(jobId) ? jobId : `id-${createHash('sha256').update(jobId).digest('hex')}`;
}

/** Null: being made this moment, or nobody's. */
async function readOwner(file: string): Promise<{ id: string; tenant: string } | null> {
  try {
    const owner: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof owner !== 'object' || owner === null || !('id' in owner)) return null;
    const tenant = 'tenant' in owner && typeof owner.tenant === 'string' ? owner.tenant : defaultTenant;
    return typeof owner.id === 'string' ? { id: owner.id, tenant } : null;
  } catch {
    return null;
  }
}
