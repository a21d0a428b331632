namespace Proxy.Events;

/// <summary>Registers the event log and its listeners.</summary>
internal static class EventServices
{
    public static void AddEvents(this IServiceCollection services)
    {
        services.AddSingleton<EventLog>();
        services.AddSingleton<EventStreams>();
    }
}
