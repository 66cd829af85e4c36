// Node with fastify and ioredis as a peer of the benchmark: reads one key of a service from Redis, with the response of
// the service. Arguments: its port, the port of Redis.
import cluster from "node:cluster";
import { availableParallelism } from "node:os";
import fastify from "fastify";
import { Redis } from "ioredis";

const [port, redisPort] = process.argv.slice(2).map(Number);

async function serve() {
  const redis = new Redis({ host: "127.0.0.1", port: redisPort, enableAutoPipelining: true });
  const app = fastify();
  app.get("/livez", async () => "");
  app.get("/genesys/1/service/:id/storage/:key", async (request, reply) => {
    const { id, key } = request.params;
    const value = await redis.hget(`sb1:svc:{${id}}`, key);
    if (value === null) {
      return reply.code(404).send();
    }
    reply.headers({
      pragma: "no-cache",
      "cache-control": "no-cache, no-store",
      "x-content-type-options": "nosniff",
      vary: "Accept",
      "content-type": "application/json;charset=utf-8",
    });
    return JSON.stringify({ [key]: value });
  });
  await app.listen({ host: "127.0.0.1", port });
}

if (cluster.isPrimary) {
  for (let worker = 0; worker < availableParallelism(); worker += 1) {
    cluster.fork();
  }
} else {
  await serve();
}
