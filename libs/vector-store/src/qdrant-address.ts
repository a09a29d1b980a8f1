import { StoreRefused } from './errors.ts';

export interface QdrantAddress {
  /** Scheme and host, as the client wants them. */
  url: string;
  port: number;
  /** Path in front of Qdrant's own, for a server behind a proxy; absent when there is none. */
  prefix?: string;
}

/** Qdrant's own HTTP port, also behind https (its cloud listens there). */
const defaultPort = 6333;

/**
 * The client drops a path in `url`, and takes an explicit `:443` for no port at all (URL hides a scheme's
 * default port), then uses 6333. So the parts are taken apart here.
 * @throws StoreRefused when it is no http(s) URL.
 */
export function qdrantAddress(text: string): QdrantAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '') {
    throw new StoreRefused(
      `QDRANT_URL must look like http://host:6333 or https://host:6333/path, not ${JSON.stringify(text)}`,
    );
  }
  const written = /^https?:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/i.exec(text)?.[1];
  const prefix = url.pathname.replace(/\/+$/, '');
  return {
    url: `${url.protocol}//${url.hostname}`,
    port: written === undefined ? defaultPort : Number(written),
    ...(prefix !== '' && { prefix }),
  };
}
