import type { Cause } from './cause.ts'

/** The catalogue. Generated from src/diagnose/causes by `npm run generate`; do not edit. */
export const causes: readonly Cause[] = []
