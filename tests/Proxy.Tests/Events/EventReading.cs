using Proxy.Events;

namespace Proxy.Tests.Events;

/// <summary>Reads events in tests.</summary>
internal static class EventReading
{
    /// <summary>Reads all events that are available now.</summary>
    public static List<ProxyEvent> ReadAll(this EventReader reader)
    {
        var all = new List<ProxyEvent>();
        while (reader.Read() is { } logged) all.Add(logged.Event);
        return all;
    }
}
