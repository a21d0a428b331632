using Proxy.Operations;

namespace Proxy.Events;

/// <summary>What happens, as it happens, for whoever listens.</summary>
internal static class EventEndpoints
{
    public static void MapEvents(this IEndpointRouteBuilder app) => app.MapGet("/events", ListenAsync);

    private static async Task ListenAsync(HttpContext context, EventStreams streams)
    {
        if (!EventFilter.TryRead(context.Request.Query, out var filter, out var problem)) await problem.ExecuteAsync(context);
        else if (!await streams.TryWriteAsync(context, filter)) await Problems.Full($"At most {EventStreams.MaxStreams} listen at once.").ExecuteAsync(context);
    }
}
