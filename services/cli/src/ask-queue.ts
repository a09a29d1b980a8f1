import { setTimeout as delay } from 'node:timers/promises';
import { createInspector, type QueueInspector } from '@vortex/queue';

const patienceMs = 2000;

export type AskQueue = <T>(url: string, look: (inspector: QueueInspector) => Promise<T>) => Promise<T>;

/**
 * Looks at the queues of a Redis over one short connection. The inspector refuses at once while it is not
 * connected, which is right for a gateway and wrong for a command that has just been typed.
 * @throws Error when Redis does not answer within two seconds
 */
export const askQueue: AskQueue = async (url, look) => {
  const inspector = createInspector({ url });
  try {
    return await askConnected(inspector, look);
  } finally {
    inspector.close();
  }
};

/** The same over a connection that the caller keeps. */
export async function askConnected<T>(
  inspector: QueueInspector,
  look: (inspector: QueueInspector) => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let isLate = false;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isLate = true;
      reject(new Error(`Redis does not answer within ${patienceMs} ms`));
    }, patienceMs);
  });
  const answer = async () => {
    while (!(await inspector.ping()) && !isLate) await delay(10);
    return look(inspector);
  };
  try {
    return await Promise.race([answer(), late]);
  } finally {
    clearTimeout(timer);
  }
}
