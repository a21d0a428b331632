using System.Net;
using System.Net.Sockets;

namespace Proxy.Integration;

/// <summary>Finds a port for a program, and waits until the program answers there.</summary>
public static class Readiness
{
    private const int FirstPort = 23_000, PortCount = 9_000;

    /// <summary>Test processes on one machine begin at different ports.</summary>
    private static int _lastPort = Environment.ProcessId * 97 % PortCount;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30), Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// A loopback port that is free, and that no other part of this process gets: for programs that cannot choose their own port, and
    /// that come back to it. It is below the range from which the system takes the ports of connections and of port 0 (32768 on Linux),
    /// so that no other program takes it before its use.
    /// </summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = FirstPort + (Interlocked.Increment(ref _lastPort) % PortCount);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Another program has it.
            }
        }
    }

    /// <summary>
    /// Polls until <paramref name="url"/> answers 200; fails at once, with the log, if the program has ended or has no such address.
    /// </summary>
    public static async Task AwaitAsync(HttpClient http, string url, ChildProcess process, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        while (true)
        {
            if (process.HasExited)
                throw new InvalidOperationException($"The program ended before {url} answered. Output:\n{process.Log}");
            try
            {
                using var answer = await http.GetAsync(new Uri(url), limit.Token);
                if (answer.StatusCode == HttpStatusCode.OK)
                    return;
                if (answer.StatusCode == HttpStatusCode.NotFound)
                    throw new InvalidOperationException($"The program has no {url}. Output:\n{process.Log}");
            }
            catch (HttpRequestException)
            {
                // The program does not listen yet.
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException($"No 200 from {url} after {Limit}. Output:\n{process.Log}", e);
            }

            await Task.Delay(Pause, TimeProvider.System, cancellationToken);
        }
    }
}
