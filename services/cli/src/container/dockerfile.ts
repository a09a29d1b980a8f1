export interface Instruction {
  keyword: string;
  /** What follows the keyword, continued lines joined by one space. */
  words: string;
}

export interface Stage {
  from: string;
  name: string | null;
  instructions: Instruction[];
}

/** A Dockerfile as far as our rules look at it: stages and their instructions, without heredocs. */
export function readDockerfile(text: string): Stage[] {
  const stages: Stage[] = [];
  for (const instruction of instructionsOf(text)) {
    const { keyword, words } = instruction;
    if (keyword === 'FROM') {
      const [from = '', as, name] = words.split(' ');
      stages.push({ from, name: as?.toUpperCase() === 'AS' ? (name ?? null) : null, instructions: [] });
    } else {
      // An ARG before the first FROM belongs to no stage.
      stages.at(-1)?.instructions.push(instruction);
    }
  }
  return stages;
}

function* instructionsOf(text: string): Generator<Instruction> {
  let open = '';
  for (const line of text.split('\n')) {
    if (/^\s*(#|$)/.test(line)) continue;
    const continued = line.endsWith('\\');
    open = `${open} ${(continued ? line.slice(0, -1) : line).trim()}`.trim();
    if (continued) continue;
    const at = open.indexOf(' ');
    yield { keyword: open.slice(0, at).toUpperCase(), words: open.slice(at + 1) };
    open = '';
  }
}
