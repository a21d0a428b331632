using System.Text;

namespace Proxy.Integration;

/// <summary>Finds the requests in the bytes that a client sends over one HTTP/1.1 connection (RFC 9112).</summary>
public sealed class RequestScanner(Action<string, string, IReadOnlyDictionary<string, string>> found)
{
    private readonly List<byte> _head = [];
    private long _bodyLeft;

    /// <summary>Reads bytes as they arrive: a head may arrive in chunks, and several heads may arrive at once.</summary>
    public void Read(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var body = (int)Math.Min(_bodyLeft, bytes.Length);
            _bodyLeft -= body;
            bytes = bytes[body..];
            if (bytes.Length == 0)
                return;

            var known = Math.Max(0, _head.Count - 3);
            var before = _head.Count;
            _head.AddRange(bytes);
            var end = _head.ToArray().AsSpan(known).IndexOf("\r\n\r\n"u8);
            if (end < 0)
                return;
            var length = known + end + 4;
            ReadHead(Encoding.Latin1.GetString(_head.ToArray(), 0, length));
            _head.Clear();
            bytes = bytes[(length - before)..];
        }
    }

    private void ReadHead(string head)
    {
        var lines = head.Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var request = lines[0].Split(' ');
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var line in lines.Skip(1))
        {
            var (name, value) = (line[..line.IndexOf(':')], line[(line.IndexOf(':') + 1)..].Trim());
            headers[name] = headers.TryGetValue(name, out var first) ? $"{first}, {value}" : value;
        }

        _bodyLeft = headers.TryGetValue("Content-Length", out var length) ? long.Parse(length) : 0;
        found(request[0], request[1], headers);
    }
}
