/** For a handful of vectors; many are compared by `VectorMatrix`. */
export function cosine(left: Float32Array, right: Float32Array): number {
  let [dot, leftSquares, rightSquares] = [0, 0, 0];
  for (let index = 0; index < left.length; index += 1) {
    const [one, other] = [left[index] ?? 0, right[index] ?? 0];
    dot += one * other;
    leftSquares += one * one;
    rightSquares += other * other;
  }
  return dot / Math.sqrt(leftSquares * rightSquares);
}
