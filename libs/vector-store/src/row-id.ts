import { createHash } from 'node:crypto';
import type { DocumentVersion, Scope } from './vector-store.ts';

/**
 * A row's id: a UUID (version 8, "custom") from SHA-256 over what the row is. Qdrant takes only UUIDs or
 * integers as point ids, and one rule for both adapters lets rows be compared between them. The ordinal
 * is hashed, not the chunk's own id, so that a retry which named its chunks anew still overwrites.
 */
export function rowId(scope: Scope, row: DocumentVersion & { ordinal: number }): string {
  return uuidOf([scope.tenant, scope.collection, row.document_id, row.version, row.ordinal]);
}

/** JSON keeps the parts apart: no value can spell a border, as a plain separator would allow. */
export function uuidOf(parts: readonly (string | number)[]): string {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest();
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x80, 6);
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = digest.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A map's key for a document version: the number comes first, so that no id can look like another's. */
export function versionKey({ document_id, version }: DocumentVersion): string {
  return `${version} ${document_id}`;
}
