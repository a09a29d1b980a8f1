import { Parser } from 'htmlparser2';
import type { Archive } from './archive.ts';
import { corrupt, maxNesting, nestedTooDeep } from './parsed-text.ts';

export interface XmlEvents {
  /** Names keep their prefix, as the office formats write them without exception: `a:t`, `text:p`. */
  open?(name: string, attributes: Record<string, string>): void;
  text?(text: string): void;
  close?(name: string): void;
}

const partCharacters = 1024 * 1024;

/**
 * Streams the elements of an XML part that `Archive.readXml` has checked.
 * @throws StageFailure `parse_limits_exceeded` when nested too deep, `corrupt_file` when the part ends inside an element.
 */
export function readXmlEvents(xml: string, events: XmlEvents): void {
  let depth = 0;
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        depth += 1;
        if (depth > maxNesting) throw nestedTooDeep('XML elements');
        events.open?.(name, attributes);
      },
      ontext: (text) => events.text?.(text),
      onclosetag(name) {
        depth -= 1;
        events.close?.(name);
      },
    },
    { xmlMode: true, decodeEntities: true },
  );
  for (let at = 0; at < xml.length; at += partCharacters) parser.write(xml.slice(at, at + partCharacters));
  // Before the end, which closes whatever is open without a word.
  if (depth > 0) throw corrupt('A part of the document ends in the middle: an XML element is never closed');
  parser.end();
}

/** The texts of the elements called `name`. */
export function textsOf(xml: string, name: string): string[] {
  const texts: string[] = [];
  let inside = false;
  readXmlEvents(xml, {
    open(opened) {
      if (opened === name) {
        inside = true;
        texts.push('');
      }
    },
    text(text) {
      if (inside) texts[texts.length - 1] += text;
    },
    close(closed) {
      if (closed === name) inside = false;
    },
  });
  return texts;
}

/** The title in the properties of an OOXML document; programs leave their template's name there only rarely. */
export async function coreTitle(archive: Archive): Promise<string | null> {
  if (!archive.has('docProps/core.xml')) return null;
  const [title = ''] = textsOf(await archive.readXml('docProps/core.xml'), 'dc:title');
  return title.trim() === '' ? null : title.trim();
}

/** Relationships of an OOXML part: id → type's last word and the part it leads to. */
export async function relationsOf(
  archive: Archive,
  part: string,
): Promise<Map<string, { type: string; part: string }>> {
  const slash = part.lastIndexOf('/');
  const folder = part.slice(0, slash + 1);
  const file = `${folder}_rels/${part.slice(slash + 1)}.rels`;
  const relations = new Map<string, { type: string; part: string }>();
  if (!archive.has(file)) return relations;
  readXmlEvents(await archive.readXml(file), {
    open(name, { Id, Type = '', Target, TargetMode }) {
      if (name !== 'Relationship' || Id === undefined || Target === undefined || TargetMode === 'External')
        return;
      relations.set(Id, { type: Type.slice(Type.lastIndexOf('/') + 1), part: resolvePart(folder, Target) });
    },
  });
  return relations;
}

/** `../notes/a.xml` seen from `ppt/slides/`; a key of the archive, so that leading out of it finds nothing. */
export function resolvePart(folder: string, target: string): string {
  const { pathname } = new URL(target, `zip:///${folder.replaceAll('%', '%25')}`);
  try {
    return decodeURIComponent(pathname.slice(1));
  } catch {
    return pathname.slice(1);
  }
}
