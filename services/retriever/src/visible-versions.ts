import { type MetadataFilter, matchesFilter } from '@vortex/contracts';
import type { Collection, Registry } from '@vortex/registry';
import { type DocumentVersion, type RowFilter, versionKey } from '@vortex/vector-store';

/**
 * What this process knows of one collection's versions. Of one revision of the collection: which versions were seen
 * visible, and which versions fit the metadata filters that were asked for. Across revisions: the versions to exclude,
 * because they were found invisible or are being written; each is looked up again when the revision moves.
 *
 * The revision is read before the states: what is kept is at least as new as its number.
 */
export class VisibleVersions {
  readonly #registry: Pick<Registry, 'versionState' | 'visibleVersions'>;
  /** Replaced, never cleared: a look that is still under way belongs to the set it began with. */
  #visible = new Set<string>();
  readonly #excluded = new Map<string, DocumentVersion>();
  /** The same as a list, made anew only when it changes: stores keep what they make of a list. */
  #excludedList: readonly DocumentVersion[] | null = null;
  readonly #matching = new Map<string, Promise<Matching>>();
  #revision = -1;
  #refreshed: Promise<void> = Promise.resolve();

  constructor(registry: Pick<Registry, 'versionState' | 'visibleVersions'>) {
    this.#registry = registry;
  }

  /**
   * To be called with the collection as just read, before anything else of a search. Every search of a revision waits
   * for its look: one that went ahead could miss the new version, still excluded, and find the old one purged already.
   */
  async refresh(collection: Collection): Promise<void> {
    if (this.#revision !== collection.revision) {
      this.#revision = collection.revision;
      this.#refreshed = this.lookAgain(collection.tenant);
      // The next search looks anew.
      this.#refreshed.catch(() => {
        this.#revision = -1;
      });
    }
    await this.#refreshed;
  }

  /**
   * Forgets what was seen and asks for every excluded version anew. A version found superseded in the middle of a
   * search has a successor that became visible in the same moment, and that is on the list of the excluded.
   */
  async lookAgain(tenant: string): Promise<void> {
    this.#visible = new Set();
    this.#matching.clear();
    for (const version of [...this.#excluded.values()]) {
      if (await this.isVisible(tenant, version)) this.include(version);
    }
  }

  async isVisible(tenant: string, version: DocumentVersion): Promise<boolean> {
    const key = versionKey(version);
    const visible = this.#visible;
    if (visible.has(key)) return true;
    const state = await this.#registry.versionState(tenant, version.document_id, version.version);
    if (state === 'visible') visible.add(key);
    return state === 'visible';
  }

  exclude({ document_id, version }: DocumentVersion): void {
    const key = versionKey({ document_id, version });
    if (this.#visible.has(key) || this.#excluded.has(key)) return;
    this.#excluded.set(key, { document_id, version });
    this.#excludedList = null;
  }

  include(version: DocumentVersion): void {
    if (this.#excluded.delete(versionKey(version))) this.#excludedList = null;
  }

  /** Which rows a search may return; null: none at all, so that no search is needed. */
  async searchable(collection: Collection, filter: MetadataFilter | undefined): Promise<Searchable | null> {
    const matching = filter === undefined ? null : await this.#matchingOf(collection, filter);
    this.#excludedList ??= [...this.#excluded.values()];
    const excluded = this.#excludedList;
    if (matching === null) return { rows: { excluded }, fits: () => true };
    const { included, left, keys } = matching;
    if (included.length === 0) return null;
    const fits = (version: DocumentVersion) => keys.has(versionKey(version));
    if (included.length <= left.length) return { rows: { included, excluded }, fits };
    if (matching.together?.of !== excluded) {
      matching.together = { of: excluded, list: [...left, ...excluded] };
    }
    return { rows: { excluded: matching.together.list }, fits };
  }

  #matchingOf(collection: Collection, filter: MetadataFilter): Promise<Matching> {
    const key = JSON.stringify(filter);
    const known = this.#matching.get(key);
    if (known !== undefined) return known;
    const oldest = this.#matching.keys().next();
    if (this.#matching.size >= maxFilters && !oldest.done) this.#matching.delete(oldest.value);
    const found = this.#match(collection, filter);
    this.#matching.set(key, found);
    found.catch(() => this.#matching.delete(key));
    return found;
  }

  async #match({ tenant, name }: Collection, filter: MetadataFilter): Promise<Matching> {
    const [included, left]: [DocumentVersion[], DocumentVersion[]] = [[], []];
    for (const { documentId, version, metadata } of await this.#registry.visibleVersions(tenant, name)) {
      const list = matchesFilter(metadata, filter) ? included : left;
      list.push({ document_id: documentId, version });
    }
    return { included, left, keys: new Set(included.map(versionKey)) };
  }
}

export interface Searchable {
  rows: RowFilter;
  /**
   * Whether the version was among those that fit the filter. One that became visible after that was found out may come
   * through a list of what not to return.
   */
  fits(version: DocumentVersion): boolean;
}

interface Matching {
  included: readonly DocumentVersion[];
  /** Visible versions that do not fit: the shorter list when nearly all do. */
  left: readonly DocumentVersion[];
  keys: ReadonlySet<string>;
  /** `left` and what is excluded anyway. */
  together?: { of: readonly DocumentVersion[]; list: readonly DocumentVersion[] };
}

/** Different filters remembered per collection and revision. */
const maxFilters = 16;
