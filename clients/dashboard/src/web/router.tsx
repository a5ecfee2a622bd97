/** The pages and what their addresses hold, so that a view can be sent as a link. */
import {
	createRootRoute,
	createRoute,
	createRouter,
	type ErrorComponentProps,
	Outlet,
	redirect,
} from "@tanstack/react-router";
import { z } from "zod";
import { ErrorNote } from "./components/basics";
import { Gate } from "./components/Gate";
import { Shell } from "./components/Shell";
import { LimitsPage } from "./pages/Limits";
import { MePage } from "./pages/Me";
import { NotFoundPage } from "./pages/NotFound";
import { OverviewPage } from "./pages/Overview";
import { UserPage } from "./pages/User";
import { UsersPage } from "./pages/Users";

const root = createRootRoute({
	component: () => (
		<Gate>
			<Outlet />
		</Gate>
	),
	notFoundComponent: NotFoundPage,
	errorComponent: ({ error }: ErrorComponentProps) => (
		<main className="lone">
			<ErrorNote error={error} retry={() => location.reload()} />
		</main>
	),
});

const admin = createRoute({ getParentRoute: () => root, id: "admin", component: Shell });

const home = createRoute({
	getParentRoute: () => root,
	path: "/",
	beforeLoad: () => {
		throw redirect({ to: "/overview", search: { days: 30 } });
	},
});

/** Of an address, so anything: what makes no sense is the default. */
const overviewSearch = z.object({
	days: z.union([z.literal(7), z.literal(30), z.literal(90), z.literal(365)]).catch(30),
});

export const overview = createRoute({
	getParentRoute: () => admin,
	path: "/overview",
	validateSearch: overviewSearch,
	component: OverviewPage,
});

export const limits = createRoute({
	getParentRoute: () => admin,
	path: "/limits",
	validateSearch: z.object({ view: z.enum(["limits", "history"]).catch("limits") }),
	component: LimitsPage,
});

export const users = createRoute({
	getParentRoute: () => admin,
	path: "/users",
	validateSearch: z.object({ search: z.string().catch("") }),
	component: UsersPage,
});

export const user = createRoute({
	getParentRoute: () => admin,
	path: "/users/$userId",
	validateSearch: z.object({ view: z.enum(["limits", "activity", "overrides", "credits"]).catch("limits") }),
	component: UserPage,
});

export const me = createRoute({
	getParentRoute: () => root,
	path: "/me",
	validateSearch: z.object({ as: z.string().optional().catch(undefined) }),
	component: MePage,
});

export const router = createRouter({
	routeTree: root.addChildren([home, admin.addChildren([overview, limits, users, user]), me]),
	defaultPreload: false,
	scrollRestoration: true,
});

declare module "@tanstack/react-router" {
	interface Register {
		router: typeof router;
	}
}
