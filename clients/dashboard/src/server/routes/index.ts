import { router } from "../trpc";
import { limitsRouter } from "./limits";
import { meRouter } from "./me";
import { overviewRouter } from "./overview";
import { sessionRouter } from "./session";
import { usersRouter } from "./users";

export const appRouter = router({
	session: sessionRouter,
	overview: overviewRouter,
	limits: limitsRouter,
	users: usersRouter,
	me: meRouter,
});

export type AppRouter = typeof appRouter;
