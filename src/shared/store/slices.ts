/** A list in parts of at most so many: databases bound the parameters of one statement. */
export function * slices<T> (list: readonly T[], most: number): Generator<T[]> {
  for (let from = 0; from < list.length; from += most) yield list.slice(from, from + most)
}
