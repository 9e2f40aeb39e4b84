import { fastify } from 'fastify'

/** A route that takes JSON and keeps nothing: what this machine and Fastify allow at most. */
const server = fastify({ keepAliveTimeout: 75_000 })
server.post('/webhook', async () => ({ status: 'accepted' }))
process.send!({ url: await server.listen({ host: '127.0.0.1', port: 0 }) })
process.once('SIGTERM', () => { process.exit(0) })
