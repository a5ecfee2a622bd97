import { serve } from "@hono/node-server";
import { app } from "./app.js";
import { pool } from "./db.js";

const server = serve(
	{ fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.env.PORT ?? 3000) },
	({ address, port }) => console.log(`listening on http://${address}:${port}`),
);
process.on("SIGTERM", () => {
	server.close();
	void pool.end();
});
