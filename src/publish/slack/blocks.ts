import type { KnownBlock, RichTextBlock, RichTextSection, RichTextElement } from '@slack/web-api'
import type { Millis } from '../../shared/types/common.ts'
import { clip, utcTime } from '../words.ts'

/**
 * Small builders of Slack blocks. Cluster and CA text goes only into rich_text and plain_text,
 * where nothing is parsed: it can neither ping nor link nor format.
 */
export type Inline = RichTextElement

/** Slack's limits that count here (measured ones where the documentation is silent). */
export const limits = { rootBlocks: 12, rootCharacters: 6000, blocks: 50, characters: 13_000, section: 2900, header: 150, text: 3500, button: 75, url: 3000 } as const

export const plain = (text: string): Inline => ({ type: 'text', text: text === '' ? ' ' : text })
export const bold = (text: string): Inline => ({ type: 'text', text: text === '' ? ' ' : text, style: { bold: true } })
export const code = (text: string): Inline => ({ type: 'text', text: text === '' ? ' ' : text, style: { code: true } })
/** Shown in the reader's own zone; UTC where that fails. */
export const date = (time: Millis): Inline => ({ type: 'date', timestamp: Math.floor(time / 1000), format: '{date_short_pretty} {time_secs}', fallback: utcTime(time) })

export function header (text: string): KnownBlock {
  return { type: 'header', text: { type: 'plain_text', text: clip(text, limits.header), emoji: true } }
}

export function paragraph (...elements: Inline[]): RichTextBlock {
  return { type: 'rich_text', elements: [sectionOf(elements)] }
}

export function bullets (items: Inline[][]): RichTextBlock {
  return { type: 'rich_text', elements: [{ type: 'rich_text_list', style: 'bullet', elements: items.map(sectionOf) }] }
}

export function preformatted (text: string): RichTextBlock {
  return { type: 'rich_text', elements: [{ type: 'rich_text_preformatted', elements: [{ type: 'text', text: clip(text, limits.section) }] }] }
}

/** Link buttons only: they work without interactivity. Links that are not http(s) or too long are left out. */
export function linkButtons (links: { text: string, url?: string, id: string }[]): KnownBlock[] {
  const usable = links.filter(({ url }) => url !== undefined && /^https?:\/\//.test(url) && url.length <= limits.url)
  if (usable.length === 0) return []
  return [{ type: 'actions', elements: usable.map(({ text, url, id }) => ({ type: 'button', text: { type: 'plain_text', text: clip(text, limits.button) }, url: url!, action_id: id })) }]
}

export function context (text: string): KnownBlock {
  return { type: 'context', elements: [{ type: 'plain_text', text: clip(text, 1900), emoji: false }] }
}

/** Characters that count against Slack's total. */
export function sizeOf (blocks: readonly KnownBlock[]): number {
  let size = 0
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) walk(item)
    else if (typeof value === 'object' && value !== null) for (const [key, item] of Object.entries(value)) {
      if ((key === 'text' || key === 'fallback' || key === 'url') && typeof item === 'string') size += item.length
      else walk(item)
    }
  }
  walk(blocks)
  return size
}

/**
 * As many of the blocks as the budget allows, cut at block borders from the end; what `keep`
 * marks stays (buttons, footer). The cut is said aloud.
 */
export function fit (entries: { block: KnownBlock, keep?: boolean }[], budget: { blocks: number, characters: number }): KnownBlock[] {
  const note = (count: number): KnownBlock => context(`… ${count} more, see the report`)
  const kept = [...entries]
  let dropped = 0
  const result = (): KnownBlock[] => [...kept.map(({ block }) => block), ...(dropped > 0 ? [note(dropped)] : [])]
  while ((result().length > budget.blocks || sizeOf(result()) > budget.characters) && kept.some(({ keep }) => keep !== true)) {
    kept.splice(kept.findLastIndex(({ keep }) => keep !== true), 1)
    dropped++
  }
  return result()
}

function sectionOf (elements: Inline[]): RichTextSection { return { type: 'rich_text_section', elements } }
