/**
 * The web server: the page's files, signing in and out, and the procedures.
 * Nothing here is for other sites: no CORS, no frames, and whatever can change
 * something is refused unless it comes from the page itself.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { serveStatic } from "@hono/node-server/serve-static";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { Hono, type Context as HonoContext, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { secureHeaders } from "hono/secure-headers";
import { Authenticator } from "./auth";
import { Cache } from "./cache";
import { type Config, isLoopback } from "./config";
import type { Database } from "./database";
import { appRouter } from "./routes";
import type { Context } from "./trpc";

/** What @hono/node-server gives beside the request. */
type Env = { Bindings: { incoming?: { socket?: { remoteAddress?: string } } } };

export interface AppOptions {
	config: Config;
	database: Database;
	/** The folder of the page's files */
	webRoot: string;
	log: (line: string) => void;
}

export function createApp({ config, database, webRoot, log }: AppOptions): Hono<Env> {
	const authenticator = new Authenticator(config);
	const cache = new Cache();
	const app = new Hono<Env>();

	app.use(
		secureHeaders({
			contentSecurityPolicy: {
				defaultSrc: ["'none'"],
				scriptSrc: ["'self'"],
				styleSrc: ["'self'"],
				// charts place their parts by style attributes
				styleSrcAttr: ["'unsafe-inline'"],
				fontSrc: ["'self'"],
				imgSrc: ["'self'", "data:"],
				connectSrc: ["'self'"],
				baseUri: ["'none'"],
				formAction: ["'none'"],
				frameAncestors: ["'none'"],
			},
			referrerPolicy: "no-referrer",
			xFrameOptions: "DENY",
			strictTransportSecurity: config.publicUrl?.protocol === "https:" ? "max-age=31536000" : false,
		}),
	);
	app.use(ownHost(config));
	app.use("/api/*", ownPageOnly(config), bodyLimit({ maxSize: 256 * 1024 }), async (c, next) => {
		await next();
		c.header("Cache-Control", "no-store");
	});

	app.post("/api/login", async (c) => {
		const body: unknown = await c.req.json().catch(() => undefined);
		const token = (body as { token?: unknown } | undefined)?.token;
		const login = typeof token === "string" ? authenticator.login(token) : undefined;
		if (!login) return c.json({ message: "This token is not valid." }, 401);
		c.header("Set-Cookie", login.cookie);
		return c.json({ role: login.principal.role });
	});

	app.post("/api/logout", (c) => {
		c.header("Set-Cookie", authenticator.logout());
		return c.json({});
	});

	app.all("/api/trpc/*", (c) =>
		fetchRequestHandler({
			endpoint: "/api/trpc",
			req: c.req.raw,
			router: appRouter,
			// user ids stay out of addresses, and so out of the logs of proxies
			allowMethodOverride: true,
			createContext: (): Context => ({
				principal: authenticator.identify(c.req.raw.headers, c.env.incoming?.socket?.remoteAddress),
				needsToken: authenticator.needsToken,
				readOnly: config.readOnly,
				database,
				cache,
				log,
			}),
		}),
	);
	app.all("/api/*", (c) => c.json({ message: "There is nothing here." }, 404));

	// file names carry a hash of what is in them
	app.use("/assets/*", async (c, next) => {
		await next();
		if (c.res.ok) c.header("Cache-Control", "public, max-age=31536000, immutable");
	});
	const files = serveStatic({ root: webRoot });
	for (const path of ["/assets/*", "/icon.svg", "/theme.js"]) app.get(path, files);
	const page = (c: HonoContext<Env>) => {
		c.header("Cache-Control", "no-cache");
		return c.html(readFileSync(join(webRoot, "index.html"), "utf8"));
	};
	app.get("*", (c) => (c.req.path.startsWith("/assets/") ? c.notFound() : page(c)));
	return app;
}

/**
 * Without a token only the loopback address protects us, and a page on the
 * internet can make its own name point there: the browser must have been asked
 * for this machine.
 */
function ownHost(config: Config): MiddlewareHandler<Env> {
	return async (c, next) => {
		const host = c.req.header("host") ?? "";
		const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
		if (config.token === undefined && !isLoopback(name) && host !== config.publicUrl?.host)
			return c.text("This address is not served. Is --public-url right?", 421);
		return next();
	};
}

/** Refuses what another site's page can make a browser send: forms, simple requests. */
function ownPageOnly(config: Config): MiddlewareHandler<Env> {
	return async (c, next) => {
		if (c.req.method === "GET" || c.req.method === "HEAD") return next();
		const origin = c.req.header("origin");
		const host = c.req.header("host") ?? "";
		const own = [config.publicUrl?.origin, `http://${host}`, `https://${host}`];
		const site = c.req.header("sec-fetch-site");
		if (
			!/^application\/json(;|$)/i.test(c.req.header("content-type") ?? "") ||
			(origin !== undefined && !own.includes(origin)) ||
			(site !== undefined && site !== "same-origin")
		)
			return c.json({ message: "Requests come from the dashboard’s own page, as JSON." }, 403);
		return next();
	};
}
