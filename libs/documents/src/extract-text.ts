/**
 * The text of a document that came as text: what is stored, served and cited. Nothing is changed but a
 * leading byte order mark, which HTTP clients drop when they decode and which would then shift every
 * offset by one, and lone surrogate halves, which UTF-8 cannot hold (each becomes U+FFFD, one unit for one).
 */
export function extractText(content: string): string {
  return (content.startsWith('\ufeff') ? content.slice(1) : content).toWellFormed();
}
