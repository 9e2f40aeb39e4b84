import type { ServerResponse } from 'node:http'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { Selector } from './selectors.ts'

export interface WatchEvent { type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject }

interface Watch { key: string, select: Selector, response: ServerResponse, timer?: NodeJS.Timeout }

const expired = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: 'too old resource version: 1 (2)', reason: 'Expired', code: 410 }

/** The open watches of an API: JSON lines that stay open until somebody ends them. */
export class Watches {
  private readonly all = new Set<Watch>()

  open (key: string, select: Selector, response: ServerResponse, initial: readonly KubeObject[], seconds: number | undefined): void {
    const watch: Watch = { key, select, response }
    if (seconds !== undefined) watch.timer = setTimeout(() => response.end(), seconds * 1000).unref()
    this.all.add(watch)
    response.on('close', () => {
      clearTimeout(watch.timer)
      this.all.delete(watch)
    })
    for (const object of initial) response.write(line({ type: 'ADDED', object }))
  }

  tell (key: string, event: WatchEvent): void {
    for (const watch of this.all) if (watch.key === key && watch.select(event.object)) watch.response.write(line(event))
  }

  end (how: 'expired' | 'clean' | 'cut' = 'clean'): void {
    const ended = [...this.all]
    // What is told from here on is for those that come back.
    this.all.clear()
    for (const { response } of ended) {
      if (how === 'cut') response.destroy()
      else if (how === 'expired') response.end(line({ type: 'ERROR', object: expired }))
      else response.end()
    }
  }
}

const line = (event: unknown): string => `${JSON.stringify(event)}\n`
