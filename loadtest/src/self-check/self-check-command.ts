export async function selfCheckCommand(_words: readonly string[]): Promise<number> {
  return 1;
}
