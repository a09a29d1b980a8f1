/** Kinds of text. Programs and configuration of every kind are one type, because they are read in one way. */
const textMediaTypes = [
  'text/plain',
  'text/markdown',
  'text/html',
  'text/csv',
  'text/tab-separated-values',
  'text/x-source',
  'application/json',
  'application/x-ndjson',
] as const;

/** The closed list of what is read. The sniffed type of an upload is one of these; metrics have them as label. */
export const documentMediaTypes = [
  ...textMediaTypes,
  'application/pdf',
  'application/rtf',
  'application/epub+zip',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  'application/vnd.oasis.opendocument.text',
  'application/vnd.oasis.opendocument.presentation',
  'application/vnd.oasis.opendocument.spreadsheet',
] as const;

export type DocumentMediaType = (typeof documentMediaTypes)[number];

/** Whether any text can be read as one of it, so that its bytes never contradict the name. */
export function isTextType(mediaType: DocumentMediaType): boolean {
  return (textMediaTypes as readonly DocumentMediaType[]).includes(mediaType);
}

export const mediaTypes = {
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  odt: 'application/vnd.oasis.opendocument.text',
  odp: 'application/vnd.oasis.opendocument.presentation',
  ods: 'application/vnd.oasis.opendocument.spreadsheet',
  epub: 'application/epub+zip',
  pdf: 'application/pdf',
  rtf: 'application/rtf',
} as const satisfies Record<string, DocumentMediaType>;

export const readFormats =
  'Vortex reads PDF, DOCX, PPTX, XLSX, ODT, ODP, ODS, RTF, EPUB, HTML, Markdown, CSV, TSV, JSON, JSONL, source code and plain text';

const endings: Record<DocumentMediaType, string> = {
  'text/plain': 'txt text log srt vtt eml rst adoc asciidoc org tex bib',
  'text/markdown': 'md markdown mdown mkd mdx rmd qmd',
  'text/html': 'html htm xhtml xht',
  'text/csv': 'csv',
  'text/tab-separated-values': 'tsv tab',
  'text/x-source':
    'js mjs cjs jsx ts mts cts tsx vue svelte py pyi rb rs go java kt kts scala c h cc cpp cxx hpp hh cs fs swift m mm php pl pm lua r jl hs ml ex exs erl clj dart sh bash zsh fish ps1 bat cmd sql graphql proto css scss sass less xml xsd xsl yaml yml toml ini conf cfg properties env dockerfile makefile cmake gradle tf hcl nix diff patch asm s v vhd zig',
  'application/json': 'json geojson ipynb webmanifest',
  'application/x-ndjson': 'jsonl ndjson',
  'application/pdf': 'pdf',
  'application/rtf': 'rtf',
  'application/epub+zip': 'epub',
  [mediaTypes.docx]: 'docx docm dotx dotm',
  [mediaTypes.pptx]: 'pptx pptm ppsx ppsm potx potm',
  [mediaTypes.xlsx]: 'xlsx xlsm xltx xltm',
  [mediaTypes.odt]: 'odt ott',
  [mediaTypes.odp]: 'odp otp',
  [mediaTypes.ods]: 'ods ots',
};

const byEnding = new Map(
  Object.entries(endings).flatMap(([mediaType, names]) =>
    names.split(' ').map((name) => [name, mediaType as DocumentMediaType] as const),
  ),
);

/** The part behind the name's last dot, in lower case; '' when there is none. */
export function endingOf(filename: string | null): string {
  return /\.([^./\\]{1,16})$/.exec(filename?.trim() ?? '')?.[1]?.toLowerCase() ?? '';
}

/** What a file of this name is expected to be; null when the name does not say. */
export function mediaTypeOfName(filename: string | null): DocumentMediaType | null {
  return byEnding.get(endingOf(filename)) ?? null;
}
