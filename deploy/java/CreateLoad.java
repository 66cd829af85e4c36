import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Creates services with the default client of the JDK, which requests an upgrade to HTTP/2 with the first request on
 * each connection. Arguments: URL of a create, number of creates, threads. Exits with 1 if one failed.
 */
public final class CreateLoad {
    public static void main(String[] arguments) throws InterruptedException {
        URI create = URI.create(arguments[0]);
        int total = Integer.parseInt(arguments[1]);
        int threads = Integer.parseInt(arguments[2]);
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest request = HttpRequest.newBuilder(create)
                .timeout(Duration.ofSeconds(60))
                .header("Content-Type", "application/x-www-form-urlencoded")
                .POST(BodyPublishers.ofString("key=value"))
                .build();
        Map<String, AtomicInteger> results = new ConcurrentHashMap<>();
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        for (int i = 0; i < total; i++) {
            pool.execute(() -> results.computeIfAbsent(send(client, request), result -> new AtomicInteger()).incrementAndGet());
        }
        pool.shutdown();
        pool.awaitTermination(30, TimeUnit.MINUTES);
        System.out.println(create + ": " + results);
        AtomicInteger created = results.get("created");
        System.exit(created != null && created.get() == total ? 0 : 1);
    }

    private static String send(HttpClient client, HttpRequest request) {
        try {
            HttpResponse<String> response = client.send(request, BodyHandlers.ofString());
            boolean created = response.statusCode() == 200 && response.body().contains("\"_id\"");
            return created ? "created" : "status " + response.statusCode();
        } catch (Exception error) {
            return error.toString();
        }
    }
}
