/**
 * Requests made from `openapi.json`: of each operation some that fit its schemas and some that do not, by a seeded
 * random. Only what the document says is known here, so whatever it leaves out is found as a difference.
 */
export type Schema = {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema | boolean;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  pattern?: string;
  format?: string;
};

export interface Operation {
  parameters?: { name: string; in: 'path' | 'query' | 'header'; required?: boolean; schema?: Schema }[];
  requestBody?: { required?: boolean; content: Record<string, { schema: Schema; example?: unknown }> };
  responses: Record<string, { content?: Record<string, { schema?: Schema }> }>;
}

export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

export interface MadeRequest {
  method: string;
  /** With its query string. */
  target: string;
  headers: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
}

/** Strings that have broken somebody. */
const nasty = [
  ...[
    '',
    ' ',
    '\0',
    '%00',
    '../../etc/passwd',
    '..%2f',
    "' OR 1=1 --",
    '#{7*7}',
    '<script>',
    '\ud83d',
    '\ufeff',
  ],
  ...[
    '😀',
    'é'.repeat(300),
    'a'.repeat(9000),
    '-1',
    '1e999',
    'NaN',
    'null',
    '__proto__',
    'constructor',
    '\u202e',
    '0x7f',
  ],
  ...['doc_', '2026-01-01T00:00:00Z', 'vortex-docs', 'default', '[]', '{}', '\r\nX-Injected: 1'],
];

export class RequestMaker {
  readonly #document: OpenApi;
  readonly #random: () => number;
  /** Names and ids that exist, by the part of the path that stands before them. */
  readonly #known: Readonly<Record<string, string>>;
  readonly #knownIds: readonly string[];

  constructor(document: OpenApi, random: () => number, known: Readonly<Record<string, string>>) {
    this.#document = document;
    this.#random = random;
    this.#known = known;
    this.#knownIds = Object.values(known);
  }

  make(method: string, path: string, operation: Operation): MadeRequest {
    const headers: Record<string, string> = {};
    const query = new URLSearchParams();
    let filled = path;
    for (const { name, in: place, required, schema } of operation.parameters ?? []) {
      const value = () => {
        const made = this.#chance(0.7) ? this.#value(schema ?? {}, 0) : this.#nasty();
        return typeof made === 'string' ? made : (JSON.stringify(made) ?? '');
      };
      if (place === 'path') {
        const before =
          path
            .slice(0, path.indexOf(`/{${name}}`))
            .split('/')
            .at(-1) ?? '';
        const fitting = this.#known[before] ?? this.#oneOf(this.#knownIds);
        const id = this.#chance(0.6) ? fitting : value();
        filled = filled.replace(`{${name}}`, encodeURIComponent(id.toWellFormed()));
      } else if (required === true || this.#chance(0.4)) {
        if (place === 'query') query.append(name, value().toWellFormed());
        // What a client library would not send is tried by raw-socket.test.ts.
        else
          headers[name] =
            value()
              .replaceAll(/[^\x20-\x7e]/g, '')
              .trim() || 'x';
      }
    }
    if (this.#chance(0.1)) query.append(this.#nasty().toWellFormed(), this.#nasty().toWellFormed());
    const search = query.size === 0 ? '' : `?${query}`;
    const made: MadeRequest = { method: method.toUpperCase(), target: `${filled}${search}`, headers };
    const [contentType, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
    if (contentType === undefined || content === undefined) return made;
    return { ...made, ...this.#body(contentType, content) };
  }

  #body(
    contentType: string,
    content: { schema: Schema; example?: unknown },
  ): Pick<MadeRequest, 'headers' | 'body'> {
    if (contentType !== 'application/json') return this.#otherBody(contentType, content.schema);
    const headers = {
      'Content-Type': this.#chance(0.95) ? contentType : this.#oneOf(['text/plain', 'application/xml', '']),
    };
    const dice = this.#random();
    const fits =
      content.example !== undefined && dice < 0.25 ? content.example : this.#value(content.schema, 0);
    const value = dice > 0.6 ? this.#spoilt(fits) : fits;
    const text = JSON.stringify(value) ?? '';
    if (this.#chance(0.04)) return { headers, body: text.slice(0, Math.floor(this.#random() * text.length)) };
    return { headers, body: text };
  }

  #otherBody(contentType: string, schema: Schema): Pick<MadeRequest, 'headers' | 'body'> {
    if (!contentType.startsWith('multipart/')) {
      return { headers: { 'Content-Type': contentType }, body: this.#nasty() };
    }
    const value = this.#value(schema, 0);
    const fields = typeof value === 'object' && value !== null ? Object.entries(value) : [];
    const parts = fields.map(([name, field]) => {
      const file = name === 'file' ? `; filename="${this.#nasty().replaceAll(/["\r\n\0]/g, '')}"` : '';
      const text = typeof field === 'string' ? field : JSON.stringify(field);
      return `--b\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${text}\r\n`;
    });
    return {
      headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
      body: `${parts.join('')}--b--\r\n`,
    };
  }

  /** One that fits the schema, as far as it says what fits. */
  #value(schema: Schema, depth: number): unknown {
    const { $ref, anyOf, oneOf, allOf } = schema;
    if ($ref !== undefined) {
      return this.#value(this.#document.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {}, depth + 1);
    }
    if (depth > 8) return 'deep';
    if (schema.const !== undefined) return schema.const;
    if (schema.enum !== undefined) return this.#oneOf(schema.enum);
    const choice = anyOf ?? oneOf;
    if (choice !== undefined) return this.#value(this.#oneOf(choice), depth + 1);
    if (allOf !== undefined) return Object.assign({}, ...allOf.map((part) => this.#value(part, depth + 1)));
    const type = Array.isArray(schema.type) ? this.#oneOf(schema.type) : schema.type;
    switch (type) {
      case 'object':
        return this.#object(schema, depth);
      case 'array': {
        const [least, most] = [
          schema.minItems ?? 0,
          Math.min(schema.maxItems ?? 4, (schema.minItems ?? 0) + 4),
        ];
        const items = typeof schema.items === 'object' ? schema.items : {};
        return Array.from({ length: this.#between(least, most) }, () => this.#value(items, depth + 1));
      }
      case 'integer':
      case 'number':
        return this.#number(schema);
      case 'boolean':
        return this.#chance(0.5);
      case 'null':
        return null;
      case 'string':
        return this.#string(schema);
      default:
        return this.#oneOf<unknown>([this.#nasty(), 7, true, null, [], {}, { a: { b: 1 } }]);
    }
  }

  #object(
    { properties = {}, required = [], additionalProperties }: Schema,
    depth: number,
  ): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    for (const [name, inner] of Object.entries(properties)) {
      if (required.includes(name) || this.#chance(0.3)) made[name] = this.#value(inner, depth + 1);
    }
    if (typeof additionalProperties === 'object' && this.#chance(0.5)) {
      made[this.#oneOf(['team', 'a.b', ...nasty])] = this.#value(additionalProperties, depth + 1);
    }
    return made;
  }

  #number({ type, minimum, maximum, exclusiveMinimum }: Schema): number {
    const least = minimum ?? (exclusiveMinimum === undefined ? -1000 : exclusiveMinimum + 1);
    const most = maximum ?? least + 2000;
    const edge = this.#random();
    if (edge < 0.2) return least;
    if (edge < 0.4) return most;
    const made = least + this.#random() * (Math.min(most, least + 2 ** 31) - least);
    return type === 'number' ? made : Math.round(made);
  }

  #string({ minLength = 0, maxLength, format, pattern }: Schema): string {
    if (format === 'uri')
      return this.#oneOf(['https://hooks.example/x', 'http://127.0.0.1:9/x', 'https://[::1]/']);
    if (pattern !== undefined || this.#chance(0.3)) return this.#oneOf(this.#knownIds);
    const made = this.#nasty();
    const long = made.length < minLength ? made.padEnd(minLength, 'x') : made;
    return maxLength === undefined ? long : long.slice(0, maxLength);
  }

  /** Something about it is changed: a field's type, a field too many, one missing, or all of it. */
  #spoilt(value: unknown): unknown {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || this.#chance(0.1)) {
      return this.#oneOf<unknown>([null, [], 7, this.#nasty(), { [this.#nasty()]: {} }]);
    }
    const spoilt: Record<string, unknown> = { ...value };
    const names = Object.keys(spoilt);
    const name = names.length > 0 && this.#chance(0.8) ? this.#oneOf(names) : this.#nasty();
    if (this.#chance(0.2)) delete spoilt[name];
    else
      spoilt[name] = this.#oneOf<unknown>([
        null,
        -1,
        1e308,
        [],
        {},
        [[]],
        true,
        this.#nasty(),
        this.#nasty(),
      ]);
    return spoilt;
  }

  #nasty(): string {
    return this.#oneOf(nasty);
  }
  #chance(share: number): boolean {
    return this.#random() < share;
  }
  #between(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }
  #oneOf<T>(choice: readonly T[]): T {
    return choice[Math.floor(this.#random() * choice.length)] as T;
  }
}
