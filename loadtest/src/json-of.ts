/** What a text says as JSON; undefined for what is none, which no schema takes. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whoever reads it parses it by a schema, and says there what is wrong.
    return undefined;
  }
}
