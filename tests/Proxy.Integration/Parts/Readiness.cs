using System.Net;
using System.Net.Sockets;

namespace Proxy.Integration;

/// <summary>Finds a port for a program, and waits until the program answers there.</summary>
public static class Readiness
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30), Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>A loopback port that is free now, for programs that cannot choose their own port.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
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
