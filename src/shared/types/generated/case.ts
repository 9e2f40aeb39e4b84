/* Generated from schemas/case.schema.json by `npm run generate`; do not edit. */

export interface TheYAMLFilesOfACaseDirectory {
  [k: string]: unknown
}
