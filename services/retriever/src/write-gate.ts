/**
 * Keeps writes of rows and their purge apart. A job is called cancelled, and a collection's name is free again, when
 * its rows are purged; a write that had begun before and ended after would then leave rows behind that nobody knows of.
 *
 * A purge waits for the writes under way of what it purges, and writes of it that come meanwhile wait for the purge; they
 * then ask the registry whether the rows are still wanted. Only for this process: what another retriever writes late,
 * its own look at the registry after the write takes out again.
 */
export interface WriteGate {
  write<Result>(place: GatePlace, task: () => Promise<Result>): Promise<Result>;
  purge<Result>(place: GatePlace, task: () => Promise<Result>): Promise<Result>;
}

/** A version's rows, or without `document` all rows of the collection. */
export interface GatePlace {
  tenant: string;
  collection: string;
  document?: { document_id: string; version: number };
}

export function createWriteGate(): WriteGate {
  const [writes, purges] = [new Set<Passage>(), new Set<Passage>()];

  async function pass<Result>(
    place: GatePlace,
    own: Set<Passage>,
    other: Set<Passage>,
    task: () => Promise<Result>,
  ) {
    const before = [...other].filter((passage) => touches(passage.place, place));
    // On the list before the wait: whoever comes later waits for this one, and two never wait for each other.
    const started = Promise.all(before.map(({ ended }) => ended));
    const running = started.then(task);
    const passage: Passage = { place, ended: running.then(nothing, nothing) };
    own.add(passage);
    try {
      return await running;
    } finally {
      own.delete(passage);
    }
  }

  return {
    write: (place, task) => pass(place, writes, purges, task),
    purge: (place, task) => pass(place, purges, writes, task),
  };
}

interface Passage {
  place: GatePlace;
  /** Resolves however it ended. */
  ended: Promise<void>;
}

const nothing = () => undefined;

function touches(one: GatePlace, other: GatePlace): boolean {
  if (one.tenant !== other.tenant || one.collection !== other.collection) return false;
  if (one.document === undefined || other.document === undefined) return true;
  return (
    one.document.document_id === other.document.document_id && one.document.version === other.document.version
  );
}
