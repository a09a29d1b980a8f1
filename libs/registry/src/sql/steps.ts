/**
 * How the registry's rules are written once for two databases. A rule is a generator: it yields statements and is
 * given their rows. SQLite runs it in one go, without a single await between BEGIN and COMMIT (node:sqlite answers at
 * once, and nobody else of this process may come in between); PostgreSQL awaits each answer on one connection.
 *
 * The SQL is what both understand, with three words more that each adapter translates:
 * - `:name`                  a parameter, taken from `values`
 * - `IN :names`              a parameter that is a list
 * - `FOR UPDATE [OF t] [SKIP LOCKED]`, `FOR SHARE`  row locks; nothing in SQLite, where a write transaction is alone anyway
 */
export interface Statement {
  sql: string;
  values: Values;
}
export type Value = string | number | null | readonly string[];
/** May hold more than the statement asks for. */
export type Values = Readonly<Record<string, Value>>;
export type Row = Readonly<Record<string, unknown>>;
export type Steps<Result> = Generator<Statement, Result, readonly Row[]>;

export function* all(sql: string, values: Values = {}): Steps<readonly Row[]> {
  return yield { sql, values };
}

export function* first(sql: string, values: Values = {}): Steps<Row | undefined> {
  return (yield { sql, values })[0];
}

/** For statements without rows to read. */
export function* run(sql: string, values: Values = {}): Steps<void> {
  yield { sql, values };
}

/** What the rules need of an adapter. */
export interface SqlSession {
  now(): number;
  read<Result>(steps: () => Steps<Result>): Promise<Result>;
  /** One transaction that may change what exists or what may be found: moves the change counter. */
  write<Result>(steps: () => Steps<Result>): Promise<Result>;
  /** One transaction that changes neither (progress, deliveries): need not move the change counter. */
  note<Result>(steps: () => Steps<Result>): Promise<Result>;
  /** A note that nobody was promised: a power cut may take it back, never a crash of ours. */
  noteUnsynced<Result>(steps: () => Steps<Result>): Promise<Result>;
  changeCounter(): Promise<number>;
}

/**
 * Text as both databases keep it: PostgreSQL refuses U+0000 and whatever is no UTF-8, so both become U+FFFD, in
 * both adapters, when it is stored and when it is looked for. (In JSON they are escapes, and stay.)
 */
export function storable(value: Value): Value {
  if (typeof value === 'string') return storableText(value);
  return typeof value === 'object' && value !== null ? value.map(storableText) : value;
}

function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\ufffd');
}
