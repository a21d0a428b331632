using Proxy.Events;

namespace Proxy.Tests.Events;

internal static class EventReading
{
    /// <summary>All that is there now.</summary>
    public static List<ProxyEvent> ReadAll(this EventReader reader)
    {
        var all = new List<ProxyEvent>();
        while (reader.Read() is { } logged) all.Add(logged.Event);
        return all;
    }
}
