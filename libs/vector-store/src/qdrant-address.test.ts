import { expect, it } from 'vitest';
import { StoreRefused } from './errors.ts';
import { qdrantAddress } from './qdrant-address.ts';

it.each([
  ['http://localhost:6333', { url: 'http://localhost', port: 6333 }],
  ['http://localhost', { url: 'http://localhost', port: 6333 }],
  ['https://qdrant.example.org:443', { url: 'https://qdrant.example.org', port: 443 }],
  ['https://example.org:443/vectors/', { url: 'https://example.org', port: 443, prefix: '/vectors' }],
  ['http://[::1]:7000/', { url: 'http://[::1]', port: 7000 }],
])('takes %s apart', (text, address) => {
  expect(qdrantAddress(text)).toEqual(address);
});

it.each(['localhost:6333', 'grpc://localhost:6334', '', 'http://user:secret@host'])('refuses %j', (text) => {
  expect(() => qdrantAddress(text)).toThrow(StoreRefused);
});
