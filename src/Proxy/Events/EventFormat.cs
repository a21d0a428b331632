using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Proxy.Events;

/// <summary>The wire format of an event (HTML Standard §9.2, server-sent events).</summary>
/// <remarks>
/// <code>
/// id: 5d41402abc4b-17
/// event: INSTANCES_ADDED
/// data: {"StudyInstanceUID":"1.2","SeriesInstanceUID":"1.2.3","instances":120,"backend":"east","madeInClient":false}
/// </code>
/// The first half of an id identifies the process, so that ids of an earlier process are recognized. JSON escapes line
/// breaks.
/// </remarks>
internal static class EventFormat
{
    /// <summary>Formats an event.</summary>
    public static byte[] Write(string epoch, ProxyEvent @event)
    {
        var output = new ArrayBufferWriter<byte>(512);
        output.Write(Encoding.UTF8.GetBytes($"id: {GetId(epoch, @event.Id)}\nevent: {@event.Name}\ndata: "));
        using (var json = new Utf8JsonWriter(output))
            JsonSerializer.Serialize(json, EventData.Create(@event), EventJson.Default.EventData);
        output.Write("\n\n"u8);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>The id of an event as listeners receive it.</summary>
    public static string GetId(string epoch, long id) => string.Create(CultureInfo.InvariantCulture, $"{epoch}-{id}");

    /// <summary>Parses an id; null if it is invalid or from another process.</summary>
    public static long? ReadId(string epoch, string text) =>
        text.Length > epoch.Length && text[epoch.Length] == '-' && text.StartsWith(epoch, StringComparison.Ordinal)
        && long.TryParse(text.AsSpan(epoch.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : null;
}
