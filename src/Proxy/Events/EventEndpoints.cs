using Proxy.Operations;

namespace Proxy.Events;

/// <summary>What happens, as it happens, for whoever listens.</summary>
internal static class EventEndpoints
{
    public static void MapEvents(this IEndpointRouteBuilder app) => app.MapGet("/events", ListenAsync);

    private static async Task ListenAsync(HttpContext context, EventStreams streams)
    {
        if (!EventFilter.TryRead(context.Request.Query, out var filter, out var problem)) await problem.ExecuteAsync(context);
        else if (Refuse(await streams.WriteAsync(context, filter)) is { } refusal) await refusal.ExecuteAsync(context);
    }

    private static IResult? Refuse(EventListener outcome) => outcome switch
    {
        EventListener.Full => Problems.Full($"At most {EventStreams.MaxStreams} listen at once."),
        EventListener.FullForAddress => Problems.TooMany($"At most {EventStreams.MaxStreamsOfAddress} listen at once from one address."),
        _ => null,
    };
}
