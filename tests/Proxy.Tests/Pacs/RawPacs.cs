using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Proxy.Tests.Pacs;

/// <summary>A request as the PACS received it.</summary>
/// <param name="Target">Path and query, unparsed.</param>
/// <param name="Head">The whole head, from the method to the empty line.</param>
public sealed record RawRequest(string Target, string Head)
{
    /// <summary>The names of the headers, in lower case.</summary>
    public IEnumerable<string> HeaderNames =>
        Head.Split("\r\n").Skip(1).Where(l => l.Length > 0).Select(l => l.Split(':')[0].ToLowerInvariant());
}

/// <summary>A PACS that a test scripts byte for byte: broken framing, truncated bodies, stalls.</summary>
/// <remarks>The archive answers requests without a script, completely and well-formed.</remarks>
public sealed class RawPacs : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, FreePort.Next());
    private readonly CancellationTokenSource _stopped = new();
    private ImmutableList<(string PathEnd, Func<RawConnection, Task> Script)> _scripts = [];
    private ImmutableList<RawRequest> _requests = [];
    private int _connections;

    public RawPacs(params IEnumerable<HeldStudy> studies)
    {
        Archive = new(() => Address);
        Archive.Hold(studies);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _ = AcceptAsync();
    }

    public Archive Archive { get; }

    public int Port { get; }

    public string Address => $"http://127.0.0.1:{Port}/dicom-web";

    public int Connections => Volatile.Read(ref _connections);

    public IReadOnlyList<RawRequest> Requests => _requests;

    /// <summary>Headers that every answer of the archive has.</summary>
    public string ExtraHeaders { get; set; } = "";

    /// <summary>Whether the archive closes each connection after its answer without announcing it.</summary>
    public bool ClosesSilently { get; set; }

    public int Count(string pathEnd) => _requests.Count(r => GetPath(r).EndsWith(pathEnd, StringComparison.Ordinal));

    /// <summary>Runs the script for every path with this ending; the newest rule wins.</summary>
    public void On(string pathEnd, Func<RawConnection, Task> script) => _scripts = _scripts.Insert(0, (pathEnd, script));

    public void Recover() => _scripts = [];

    public void Dispose()
    {
        _stopped.Cancel();
        _listener.Dispose();
    }

    private static string GetPath(RawRequest request) => request.Target.Split('?')[0];

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(_stopped.Token);
                Interlocked.Increment(ref _connections);
                _ = ServeAsync(new RawConnection(socket, _stopped.Token));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // The test has ended.
        }
    }

    private async Task ServeAsync(RawConnection connection)
    {
        using (connection)
        {
            try
            {
                while (!connection.IsClosed && await connection.ReadRequestAsync() is { } request)
                {
                    ImmutableInterlocked.Update(ref _requests, (all, one) => all.Add(one), request);
                    var script = _scripts.Find(s => GetPath(request).EndsWith(s.PathEnd, StringComparison.Ordinal)).Script;
                    await (script?.Invoke(connection) ?? AnswerAsync(connection, request));
                }
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
            {
                // The proxy closed the connection, or the test has ended.
            }
        }
    }

    /// <summary>Sends the archive's answer to the newest request, for a script that changes something else.</summary>
    public Task AnswerAsync(RawConnection connection) => AnswerAsync(connection, _requests[^1]);

    private async Task AnswerAsync(RawConnection connection, RawRequest request)
    {
        var target = new Uri("http://pacs" + request.Target);
        var accept = request.Head.Split("\r\n").FirstOrDefault(l => l.StartsWith("Accept:", StringComparison.Ordinal))?[7..].Trim() ?? "";
        var answer = Archive.Answer(target.AbsolutePath["/dicom-web/".Length..], target.Query, accept);
        var headers = string.Concat(answer.Headers.Select(h => $"{h.Name}: {h.Value}\r\n"));
        await connection.SendAsync(
            $"HTTP/1.1 {answer.Status} Status\r\nContent-Type: {answer.ContentType}\r\nContent-Length: {answer.Body.Length}\r\n" +
            $"{headers}{ExtraHeaders}\r\n");
        await connection.SendAsync(answer.Body);
        if (ClosesSilently) connection.Close();
    }
}

/// <summary>One connection of the proxy to a <see cref="RawPacs"/>.</summary>
public sealed class RawConnection(Socket socket, CancellationToken stopped) : IDisposable
{
    private readonly NetworkStream _stream = new(socket, ownsSocket: true);

    public bool IsClosed { get; private set; }

    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(byte[] bytes) => await _stream.WriteAsync(bytes, stopped);

    /// <summary>Closes in good order (FIN), like an archive that dies while it writes.</summary>
    public void Close()
    {
        IsClosed = true;
        socket.Shutdown(SocketShutdown.Send);
    }

    /// <summary>Resets the connection (RST).</summary>
    public void Reset()
    {
        IsClosed = true;
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
    }

    /// <summary>Completes when the proxy has closed the connection.</summary>
    public async Task WaitForDisconnectAsync()
    {
        var buffer = new byte[1];
        try
        {
            while (await _stream.ReadAsync(buffer, stopped) > 0) { }
        }
        catch (IOException)
        {
            // The proxy reset the connection.
        }
        IsClosed = true;
    }

    /// <summary>Reads the request body up to this length, or up to the end of the connection.</summary>
    /// <returns>The number of bytes read.</returns>
    public async Task<long> ReadBodyAsync(long length)
    {
        var piece = new byte[64 * 1024];
        var count = 0L;
        while (count < length)
        {
            var read = await _stream.ReadAsync(piece.AsMemory(0, (int)Math.Min(piece.Length, length - count)), stopped);
            if (read == 0) break;
            count += read;
        }
        return count;
    }

    /// <summary>Reads a request body that is sent in chunks.</summary>
    public async Task<string> ReadChunksAsync()
    {
        var text = new StringBuilder();
        while (true)
        {
            var line = new StringBuilder();
            var one = new byte[1];
            while (line.Length < 2 || line[^1] != '\n')
            {
                if (await _stream.ReadAsync(one, stopped) == 0) return text.ToString();
                line.Append((char)one[0]);
            }
            var left = int.Parse(line.ToString().Trim(), System.Globalization.NumberStyles.HexNumber, null) + 2;
            var chunk = new byte[left];
            await _stream.ReadExactlyAsync(chunk, stopped);
            if (left == 2) return text.ToString();
            text.Append(Encoding.Latin1.GetString(chunk, 0, left - 2));
        }
    }

    internal async Task<RawRequest?> ReadRequestAsync()
    {
        var head = new List<byte>();
        var buffer = new byte[1];
        while (!(head.Count >= 4 && head[^4] == '\r' && head[^3] == '\n' && head[^2] == '\r' && head[^1] == '\n'))
        {
            if (await _stream.ReadAsync(buffer, stopped) == 0) return null;
            head.Add(buffer[0]);
        }
        var text = Encoding.Latin1.GetString([.. head]);
        return new(text.Split(' ')[1], text);
    }

    public void Dispose() => _stream.Dispose();
}
