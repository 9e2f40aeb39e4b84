/** The known word that a mistyped one probably means. */
export function nearest (word: string, known: readonly string[]): string | undefined {
  const wanted = word.toLowerCase().replaceAll(/[-_]/g, '')
  let best: { name: string, distance: number } | undefined
  for (const name of known) {
    const distance = editDistance(wanted, name.toLowerCase())
    if (best === undefined || distance < best.distance) best = { name, distance }
  }
  return best !== undefined && best.distance <= Math.max(2, Math.floor(word.length / 3)) ? best.name : undefined
}

/** Insertions, deletions, replacements and swaps of neighbours. */
function editDistance (left: string, right: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const current = [i]
    for (let j = 1; j <= right.length; j++) {
      const replaced = previous[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1)
      current[j] = Math.min(current[j - 1]! + 1, previous[j]! + 1, replaced)
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]) current[j] = Math.min(current[j]!, beforePrevious[j - 2]! + 1)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[right.length]!
}
