export async function compareCommand(_words: readonly string[]): Promise<number> {
  return 1;
}
