import { readFile } from "node:fs/promises";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { Hono } from "hono";
import { limitHono, problemResponse, usageRoute } from "usage-limits/http";
import { usageResponseMeta } from "usage-limits/trpc";
import { usageTracker } from "./db.js";
import { appRouter } from "./router.js";
import { renderVideo } from "./work.js";

const userOf = (request: Request) => request.headers.get("x-user") ?? undefined;

export const app = new Hono();
app.onError((error, c) => {
	const problem = problemResponse(error);
	if (problem) return problem;
	console.error(error);
	return c.text("Internal Server Error", 500);
});

app.all("/trpc/*", (c) =>
	fetchRequestHandler({
		endpoint: "/trpc",
		req: c.req.raw,
		router: appRouter,
		createContext: () => ({ userId: userOf(c.req.raw) }),
		responseMeta: usageResponseMeta,
	}),
);

app.get("/api/usage/*", (c) => usageRoute(usageTracker, userOf)(c.req.raw));

/** The same export over plain HTTP. */
app.post(
	"/api/export",
	limitHono(
		usageTracker,
		(c) => ({ userId: c.req.header("x-user") ?? "nobody", usageType: "export", eventSubtype: "mp4" }),
		{ hold: true },
	),
	async (c) => c.json(await renderVideo({ format: c.req.query("format") ?? "mp4" })),
);

const client = new URL("../client/", import.meta.url);
app.get("/", async (c) => c.html(await readFile(new URL("index.html", client), "utf8")));
app.get("/assets/:file{[A-Za-z0-9_-]+\\.js}", async (c) =>
	c.body(await readFile(new URL(`assets/${c.req.param("file")}`, client)), 200, {
		"Content-Type": "text/javascript",
	}),
);
